// Options are separated by commas.

use spawnsafe::child_entry;

#[child_entry(name = "sum" crate = spawnsafe)]
//~ options are separated by commas
fn sum(x: u32) -> u32 {
    x
}

fn main() {}
