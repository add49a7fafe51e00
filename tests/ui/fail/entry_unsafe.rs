// An `unsafe` entry.

use spawnsafe::child_entry;

#[child_entry]
unsafe fn run(x: u32) -> u32 {
//~ a child entry cannot be `unsafe`: nobody in the child process could uphold its contract
    x
}

fn main() {}
