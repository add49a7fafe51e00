// An `async` entry.

use spawnsafe::child_entry;

#[child_entry]
async fn run(x: u32) -> u32 {
//~ a child entry cannot be `async`: it has a process of its own, and no runtime
    x
}

fn main() {}
