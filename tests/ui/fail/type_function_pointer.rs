// A function pointer is an address, also inside what passes on its content.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn apply(a: fn(u32) -> u32, b: Vec<fn(&str) -> usize>) -> Option<fn()> {
//~ is an address in this process
    None
}

fn main() {}
