// A type of the user's own travels only if they say so.

use serde::{Deserialize, Serialize};
use spawnsafe::child_entry;

#[derive(Serialize, Deserialize)]
struct Job {
    id: u32,
}

#[child_entry]
fn run(job: Job) -> u32 {
//~ cannot be passed between a process and its child
    job.id
}

fn main() {}
