// `&mut` would change the child's copy.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn append(list: &mut Vec<u32>, count: &'static mut u32) {
//~ a child process changes only its own copy, so `&mut` would have no effect here
    list.push(1)
}

fn main() {}
