// Nobody can tell in the child which type was behind a `dyn`.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn call(a: Box<dyn Fn() -> u32>, b: Vec<Box<dyn std::fmt::Debug>>) {}
//~ has no concrete type

fn main() {}
