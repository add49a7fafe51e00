// What threads wait at.

#![allow(unused)]

use std::sync::{Barrier, Condvar, Once};

use spawnsafe::child_entry;

#[child_entry]
fn wait(a: Condvar, b: Barrier, c: Once) {}
//~ makes threads of this process wait

fn main() {}
