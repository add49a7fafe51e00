// An entry with a const parameter.

use spawnsafe::child_entry;

#[child_entry]
fn repeat<const N: usize>(x: u32) -> u32 {
//~ a child entry cannot have a const parameter: the child process looks it up by its name, so it must be one function
    x * N as u32
}

fn main() {}
