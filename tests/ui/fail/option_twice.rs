// An option given twice.

use spawnsafe::child_entry;

#[child_entry(name = "a", name = "b")]
//~ the option `name` is given twice
fn sum(x: u32) -> u32 {
    x
}

fn main() {}
