// `#[child_entry]` on an associated function: no type can stand beside it.

use spawnsafe::child_entry;

struct Job;

impl Job {
    #[child_entry]
    //~ enum is not supported in `trait`s or `impl`s
    fn run(x: u32) -> u32 {
        x
    }
}

fn main() {
    println!("{}", Job::run(1));
}
