// What is lent must own what is in it.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn words(list: &[&str]) {}
//~ borrows from this process

fn main() {}
