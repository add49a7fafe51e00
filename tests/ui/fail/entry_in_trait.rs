// `#[child_entry]` on a trait's function with a body.

use spawnsafe::child_entry;

trait Run {
    #[child_entry]
    //~ enum is not supported
    //~ `const` items
    fn run(x: u32) -> u32 {
    //~ E0425
    //~ E0433
        x
    }
}

fn main() {}
