// A slice that only the compiler can see: then the message is about the slice, not about what is in it.

#![allow(unused)]

use std::sync::Arc;

use spawnsafe::child_entry;

type Counters = [Arc<u32>];

#[child_entry]
fn sum(counters: &Counters) {}
//~ cannot be lent to a child process

fn main() {}
