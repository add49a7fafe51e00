// A point on a clock that only this process can read.

#![allow(unused)]

use std::time::Instant;

use spawnsafe::child_entry;

#[child_entry]
fn since(start: Instant) {}
//~ is a point on a clock

fn main() {}
