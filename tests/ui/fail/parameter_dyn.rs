// A `dyn` as a whole parameter.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn show(value: &dyn std::fmt::Debug) {}
//~ a child process cannot rebuild a `dyn` value: only this process knows which type is behind it

fn main() {}
