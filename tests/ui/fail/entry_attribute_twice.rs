// `#[child_entry]` twice.

use spawnsafe::child_entry;

#[child_entry]
#[child_entry]
//~ the function carries `#[child_entry]` twice
fn run(x: u32) -> u32 {
    x
}

fn main() {}
