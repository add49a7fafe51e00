// serde has arrays of up to 32 elements.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn digest(block: [u8; 64]) {}
//~ cannot be passed between a process and its child

fn main() {}
