// The message is about the innermost type that is at fault.

#![allow(unused)]

use std::collections::HashMap;
use std::sync::Arc;

use spawnsafe::child_entry;

#[child_entry]
fn collect(a: Vec<Arc<u32>>, b: HashMap<String, Vec<Option<Arc<u32>>>>, c: &(u8, Arc<u32>)) {}
//~ refers to memory of this process

fn main() {}
