// `#[child_entry]` on methods.

#![allow(unused)]

use spawnsafe::child_entry;

struct Job;

impl Job {
    #[child_entry]
    fn by_reference(&self) {}
    //~ a child entry cannot take `self`: the object is in the parent process

    #[child_entry]
    fn by_value(self, x: u32) {}
    //~ a child entry cannot take `self`: the object is in the parent process
}

trait Run {
    #[child_entry]
    fn run(&mut self) {}
    //~ a child entry cannot take `self`: the object is in the parent process
}

fn main() {}
