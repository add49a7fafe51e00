// `#[child_entry]` on a trait's function with a body, and on its implementation.

use spawnsafe::child_entry;

trait Run {
    #[child_entry]
    //~ enum is not supported in `trait`s or `impl`s
    fn run(x: u32) -> u32 {
        x
    }
}

impl Run for () {
    #[child_entry]
    //~ enum is not supported in `trait`s or `impl`s
    fn run(x: u32) -> u32 {
        x + 1
    }
}

fn main() {}
