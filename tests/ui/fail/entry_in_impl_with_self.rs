// `#[child_entry]` on an associated function that gives itself away: no type can stand beside it.

#![allow(unused)]

use spawnsafe::child_entry;

struct Job;

impl Job {
    #[child_entry]
    fn run(x: u32) -> Self {
    //~ `#[child_entry]` goes on a free function, which has no `Self`
        Job
    }
}

trait Run {
    #[child_entry]
    fn run(job: Self)
    //~ `#[child_entry]` goes on a free function, which has no `Self`
    where
        Self: Sized,
    {}
}

fn main() {}
