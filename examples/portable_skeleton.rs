//! The skeleton of a program with child processes that works alike on every system.
//!
//! `cargo run --example portable_skeleton`
//!
//! What the Python document asks for, since on Windows a child runs the whole module again and on Linux it does not:
//! guard the code that starts processes with `if __name__ == '__main__':`, define functions at module level, and
//! initialize data inside the guard, or it is initialized in each child once more.
//!
//! Here a child runs its entry and nothing else of the program, on every system. The guard is `#[process_main]`, the
//! body of `main` runs in the parent alone, and leaving out either attribute is an error, not another meaning.

use spawnsafe::{child_entry, process_main};

/// What children run: a function that gets what it needs as arguments and returns what it found.
#[child_entry]
fn worker(numbers: &[u64]) -> u64 {
    println!("Working...");
    numbers.iter().sum()
}

#[process_main]
fn main() -> Result<(), spawnsafe::Error> {
    println!("initializing the data, once");
    let numbers: Vec<u64> = (1..=100).collect();

    let sum = worker::run(&numbers)?;
    println!("the sum is {sum}");
    Ok(())
}
