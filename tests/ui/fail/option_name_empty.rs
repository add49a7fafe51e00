// An empty name.

use spawnsafe::child_entry;

#[child_entry(name = "")]
//~ the name of an entry cannot be empty
fn sum(x: u32) -> u32 {
    x
}

#[child_entry(name = " ")]
//~ the name of an entry cannot be empty
fn product(x: u32) -> u32 {
    x
}

fn main() {}
