// The entry's type needs its name for itself.

use spawnsafe::child_entry;

#[allow(non_camel_case_types)]
struct run {}

#[child_entry]
//~ E0428
fn run(x: u32) -> u32 {
    x
}

fn main() {}
