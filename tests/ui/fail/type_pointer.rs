// An address means nothing in another process.

#![allow(unused)]

use std::ptr::NonNull;

use spawnsafe::child_entry;

#[child_entry]
fn look(a: *const u32, b: *mut u32, c: NonNull<u32>) {}
//~ is an address in this process

fn main() {}
