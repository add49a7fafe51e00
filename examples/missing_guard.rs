//! The missing guard: a program that would start children without end, and is stopped at the first.
//!
//! `cargo run --example missing_guard`
//!
//! The Python program starts a process at module level, without `if __name__ == '__main__':`. On Linux that works: the
//! child is a fork and goes straight to its function (`Working...`). On Windows the child runs the module again, which
//! starts a process, which runs the module again, until the system runs out of resources.
//!
//! Here the guard is `#[process_main]`. A program without it starts nothing, on no system: its first spawn is an
//! error that says what to write. `portable_skeleton` is the program with it.

use spawnsafe::{ErrorKind, child_entry};

#[child_entry]
fn worker() {
    println!("Working...");
}

// What is missing: #[spawnsafe::process_main]
fn main() {
    let error = worker::run().expect_err("without the guard nothing is started");
    assert_eq!(error.kind(), ErrorKind::NoProcessMain);
    println!("{error}");
}
