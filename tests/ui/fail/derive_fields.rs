// Each field is checked at its own type, in every variant, and all that is wrong is said at once.

use std::cell::RefCell;
use std::sync::{Mutex, atomic::AtomicU32};

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry};

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Job {
    id: u32,
    done: Mutex<bool>,
    //~ refers to memory of this process
    more: Vec<Option<RefCell<u8>>>,
    //~ RefCell<u8>` refers to memory of this process
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Pair(u8, AtomicU32);
//~ refers to memory of this process

#[derive(Serialize, Deserialize, SpawnSafe)]
enum Shape {
    Point,
    Line(u8, RefCell<u8>),
    //~ refers to memory of this process
    Circle { inside: Plain, radius: Mutex<u8> },
    //~ refers to memory of this process
}

#[derive(Serialize, Deserialize)]
struct Unknown;

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Plain {
    unknown: Box<Unknown>,
    //~ `Unknown` cannot be passed between a process and its child
}

// Who uses them is not at fault.
#[child_entry]
fn work(job: Job, shape: &Shape) -> Vec<Pair> {
    let (_, _) = (job.id, shape);
    vec![]
}

fn main() {}
