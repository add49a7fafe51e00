// `main` as an entry, with either attribute first.

#![allow(unused)]

use spawnsafe::{child_entry, process_main};

#[process_main]
#[child_entry]
//~ `main` cannot be a child entry as well: a child process never runs it
fn main() {}

mod other {
    use spawnsafe::{child_entry, process_main};

    #[child_entry]
    #[process_main]
    pub fn main() {}
    //~ `main` cannot be a child entry: a child process never runs it
}
