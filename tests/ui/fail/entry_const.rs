// A `const` entry.

use spawnsafe::child_entry;

#[child_entry]
const fn run(x: u32) -> u32 {
//~ a child entry cannot be `const`
    x
}

fn main() {}
