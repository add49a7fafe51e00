//! A random global: do a process and its child agree on its value?
//!
//! `cargo run --example random_global`
//!
//! The Python program says `num = random.randint(0, 100)` at module level, and prints `num` in the parent and in a
//! child. On Linux the child is a fork, a copy of the parent's memory, and both print the same number. On Windows the
//! child is a fresh interpreter, which runs the module again and draws a number of its own.
//!
//! Here a child is a fresh process on every system, so a static is always each process's own. What parent and child
//! are to agree on is passed as an argument. The program says who agrees and not on what, so that it prints the same
//! each time.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry, process_main};

/// Drawn once in each process, and from so many numbers that two draws do not meet.
static NUM: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("num"));

fn num() -> u64 {
    *NUM
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Seen {
    pid: u32,
    global: u64,
    argument: u64,
}

#[child_entry]
fn show_num(argument: u64) -> Seen {
    Seen { pid: process::id(), global: num(), argument }
}

#[process_main]
fn main() -> Result<(), spawnsafe::Error> {
    let here = show_num(num());
    let child = show_num::run(num())?;
    println!("in the parent and in the child:");
    println!("  pid: {}", compare(here.pid, child.pid));
    println!("  num, the global: {}", compare(here.global, child.global));
    println!("  num, passed as an argument: {}", compare(here.argument, child.argument));
    println!("Parent Process Stop");
    Ok(())
}

fn compare<T: PartialEq>(a: T, b: T) -> &'static str {
    if a == b { "same" } else { "different" }
}
