// `#[child_entry]` on an impl block.

use spawnsafe::child_entry;

struct Job;

#[child_entry]
//~ `#[child_entry]` goes on a free function, not on an impl block
impl Job {
    fn run() {}
}

fn main() {}
