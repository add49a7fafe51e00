// `main` is what a child does not run.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn main() {}
//~ `main` cannot be a child entry: a child process never runs it
