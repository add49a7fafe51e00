// A descriptor, as the system's own types hold it.

#![allow(unused)]

use std::os::fd::OwnedFd;

use spawnsafe::child_entry;

#[child_entry]
fn read(a: OwnedFd) {}
//~ is a handle that is open in this process only

fn main() {}
