// Each argument and the result is at fault once, all in one compile.

#![allow(unused)]

use std::sync::Arc;
use std::time::Instant;

use spawnsafe::child_entry;

#[child_entry]
fn mixed(a: Arc<u32>, b: u32, c: std::fs::File) -> Instant {
//~ refers to memory of this process
//~ is a handle that is open in this process only
//~ is a point on a clock
    todo!()
}

fn main() {}
