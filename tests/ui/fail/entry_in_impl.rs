// `#[child_entry]` on an associated function: no type can stand beside it.

use spawnsafe::child_entry;

struct Job;

impl Job {
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
