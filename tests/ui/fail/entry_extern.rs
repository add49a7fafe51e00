// An `extern` entry.

use spawnsafe::child_entry;

#[child_entry]
extern "C" fn run(x: u32) -> u32 {
//~ a child entry has no ABI: it is called from Rust only
    x
}

fn main() {}
