//! What a function sees when it is called here, and what it sees in a child.
//!
//! `cargo run --example mutated_global`
//!
//! The question to which this belongs: `main` changes a global of a module, then passes an object to a child. On Linux
//! the child is a fork and sees both as they are in the parent, the object not even pickled. On Windows the child
//! imports the module from scratch and sees the global as it was at first; the object is pickled on its way. "And how
//! to make the Linux code behave the same as the Windows one?"
//!
//! Here they do behave the same. An ordinary call is one in this process: it sees the global, and its argument is not
//! serialized. `::run` is one in a fresh process, on every system: statics are as the program initializes them, and
//! arguments are always serialized. A child that needs the global's value gets it as an argument.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry, process_main};

static GLOBAL: AtomicU32 = AtomicU32::new(0);

fn global() -> u32 {
    GLOBAL.load(Ordering::Relaxed)
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Object {
    kept: u32,
    /// Stays behind whenever the object is serialized: where it is rebuilt, this is 0.
    #[serde(skip)]
    skipped: u32,
}

#[child_entry]
fn look(object: &Object, passed: u32) -> String {
    let Object { kept, skipped } = object;
    format!("global {}, its value passed {passed}, object ({kept}, {skipped})", global())
}

#[process_main]
fn main() -> Result<(), spawnsafe::Error> {
    GLOBAL.store(1, Ordering::Relaxed);
    let object = Object { kept: 2, skipped: 3 };
    println!("called here:       {}", look(&object, global()));
    println!("called in a child: {}", look::run(&object, global())?);
    Ok(())
}
