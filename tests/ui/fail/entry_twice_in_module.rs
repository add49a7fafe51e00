// Two entries of one name in one module.

use spawnsafe::child_entry;

#[child_entry]
//~ E0592
//~ E0034
fn run(x: u32) -> u32 {
    x
}

#[child_entry]
//~ E0428
//~ E0034
//~ E0308
fn run(y: u8) -> u8 {
//~ E0428
    y
}

fn main() {}
