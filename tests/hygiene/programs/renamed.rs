//! The library is known as `processes` here; there is no `spawnsafe`.
#![deny(warnings)]

use processes::{child_entry, process_main};

mod spawnsafe {}

/// What a library re-exports that wants its users to need no dependency on spawnsafe.
mod library {
    pub use processes;
}

#[child_entry(crate = processes)]
fn add(x: u32, text: &str) -> usize {
    x as usize + text.len()
}

#[derive(serde::Serialize, serde::Deserialize, processes::SpawnSafe)]
#[spawnsafe(crate = processes)]
struct Job {
    #[trust]
    x: Option<u32>,
}

#[child_entry(crate = processes)]
fn unwrap(job: Job) -> u32 {
    job.x.unwrap_or(0)
}

#[child_entry(crate = crate::library::processes)]
fn twice(x: usize) -> usize {
    x * 2
}

#[process_main(crate = ::processes)]
fn main() -> Result<(), processes::Error> {
    println!("{}", add::run(1, "ab")? + twice::run(2)? + unwrap::run(Job { x: Some(1) })? as usize);
    Ok(())
}
