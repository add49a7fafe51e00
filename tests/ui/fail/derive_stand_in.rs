// What serde puts in the place of the fields is what travels.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use spawnsafe::SpawnSafe;

#[derive(Serialize, Deserialize)]
struct Wire(u8);

#[derive(Clone, Serialize, Deserialize, SpawnSafe)]
#[serde(into = "Wire", from = "Wire")]
//~ `Wire` cannot be passed between a process and its child
struct Job {
    cell: std::sync::Arc<Mutex<u8>>,
}

impl From<Wire> for Job {
    fn from(wire: Wire) -> Self {
        Self { cell: std::sync::Arc::new(Mutex::new(wire.0)) }
    }
}

impl From<Job> for Wire {
    fn from(job: Job) -> Self {
        Self(*job.cell.lock().unwrap())
    }
}

fn main() {}
