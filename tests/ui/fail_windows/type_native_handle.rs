// A handle, as the system's own types hold it.

#![allow(unused)]

use std::os::windows::io::OwnedHandle;

use spawnsafe::child_entry;

#[child_entry]
fn read(a: OwnedHandle) {}
//~ is a handle that is open in this process only

fn main() {}
