// A result travels as an argument does.

#![allow(unused)]

use std::sync::Arc;

use spawnsafe::child_entry;

#[child_entry]
fn share() -> Arc<u32> {
//~ refers to memory of this process
    Arc::new(1)
}

fn main() {}
