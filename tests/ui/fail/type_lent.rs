// Lending needs the same as passing.

#![allow(unused)]

use std::sync::Arc;

use spawnsafe::child_entry;

#[child_entry]
fn count(a: &Arc<u32>, b: &[Arc<u32>], c: &Job) {}
//~ refers to memory of this process
//~ cannot be passed between a process and its child

struct Job;

fn main() {}
