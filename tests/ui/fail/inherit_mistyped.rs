// Faults of the static itself are rustc's, once each, where they are.

use std::sync::Mutex;

use spawnsafe::{inherit, process_local};

#[inherit]
static ONE: Mutex<Missing> = Mutex::new(0);
//~ cannot find type `Missing`

#[inherit]
static TWO: Mutex<u32> = Mutex::new("text");
//~ E0308

#[process_local]
static THREE: Missing = 0;
//~ cannot find type `Missing`

#[process_local]
static FOUR: std::cell::Cell<u32> = std::cell::Cell::new(0);
//~ cannot be shared between threads

fn main() {}
