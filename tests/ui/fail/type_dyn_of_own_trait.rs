// The same for a trait that the library has never heard of.

#![allow(unused)]

use spawnsafe::child_entry;

trait Shape {}

#[child_entry]
fn area(shape: Box<dyn Shape>) {}
//~ cannot be passed between a process and its child

fn main() {}
