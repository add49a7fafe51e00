// Values that cannot be set at run time, and containers that nobody can look into.

use std::sync::atomic::AtomicPtr;
use std::sync::{Condvar, Once};

use spawnsafe::inherit;

#[inherit]
static NUMBER: u32 = 1;
//~ a child process cannot be given the value of a static `u32`

#[inherit]
static NAMES: &[&str] = &["a"];
//~ a child process cannot be given the value of a static `&[&str]`

#[inherit]
static POINTER: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
//~ a child process cannot be given the value of a static

#[inherit]
static ONCE: Once = Once::new();
//~ a child process cannot be given the value of a static `

#[inherit]
static SIGNAL: Condvar = Condvar::new();
//~ a child process cannot be given the value of a static `

fn main() {
    println!("{} {}", *NUMBER, NAMES.len());
}
