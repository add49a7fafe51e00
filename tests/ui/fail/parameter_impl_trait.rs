// `impl Trait` as a parameter, also inside its type.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn run(a: impl Into<u32>, b: Option<impl Copy>) {}
//~ `impl Trait` is a hidden type parameter, and a child entry must be one function

fn main() {}
