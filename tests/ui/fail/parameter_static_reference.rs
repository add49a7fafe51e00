// `&'static` is this process's memory.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn print(text: &'static str) {}
//~ a child process cannot borrow from its parent's memory

fn main() {}
