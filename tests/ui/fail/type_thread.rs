// A child process has none of its parent's threads.

#![allow(unused)]

use std::thread::{JoinHandle, Thread, ThreadId};

use spawnsafe::child_entry;

#[child_entry]
fn join(a: JoinHandle<u32>, b: Thread, c: ThreadId) {}
//~ is tied to a thread

fn main() {}
