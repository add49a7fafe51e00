// A variadic entry.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
unsafe extern "C" fn run(x: u32, rest: ...) {}
//~ a child entry cannot be `unsafe`: nobody in the child process could uphold its contract
//~ a child entry has no ABI: it is called from Rust only
//~ a child entry cannot be variadic

fn main() {}
