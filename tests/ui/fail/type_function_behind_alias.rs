// A function pointer that only the compiler can see.

#![allow(unused)]

use spawnsafe::child_entry;

type Callback = fn(u32) -> u32;

#[child_entry]
fn apply(a: Callback) {}
//~ is an address in this process

fn main() {}
