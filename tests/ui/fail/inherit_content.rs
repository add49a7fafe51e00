// What is in an inherited static travels, so it must be able to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use spawnsafe::inherit;

struct Unknown;

type Shared = Mutex<Vec<Arc<u8>>>;

#[inherit]
static ONE: OnceLock<Arc<u32>> = OnceLock::new();
//~ `Arc<u32>` refers to memory of this process

#[inherit]
pub static TWO: std::sync::RwLock<Option<std::fs::File>> = RwLock::new(None);
//~ `File` is a handle that is open in this process only

#[inherit]
static THREE: OnceLock<HashMap<String, Unknown>> = OnceLock::new();
//~ `Unknown` cannot be passed

#[inherit]
static FOUR: Shared = Mutex::new(Vec::new());
//~ `Arc<u8>` refers to memory of this process

#[inherit]
static FIVE: Mutex<&'static str> = Mutex::new("");
//~ borrows from this process

fn main() {
    ONE.get();
    let _ = FOUR.lock();
}
