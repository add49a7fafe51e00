// A path at which there is no spawnsafe.

use spawnsafe::child_entry;

#[child_entry(crate = crate::nowhere)]
//~ E0433
fn sum(x: u32) -> u32 {
    x
}

fn main() {}
