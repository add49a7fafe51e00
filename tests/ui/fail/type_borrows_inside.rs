// Only a whole argument can be a reference.

#![allow(unused)]

use spawnsafe::child_entry;

type Text<'a> = &'a str;

#[child_entry]
fn words(a: Vec<&str>, b: Option<&'static str>, c: (u8, &u32), d: Text<'_>) {}
//~ borrows from this process

fn main() {}
