// The type of the entry would hide the primitive one.

use spawnsafe::child_entry;

#[child_entry]
fn str(x: u32) -> u32 {
//~ a child entry is also a type, here one that would hide the primitive type of this name
    x
}

fn main() {}
