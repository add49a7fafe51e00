// Statics that are named like variables.

#![allow(non_upper_case_globals)]

use std::sync::atomic::{AtomicU32, Ordering};

pub struct Stats(AtomicU32);

impl Stats {
    fn hit(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

static counter: AtomicU32 = AtomicU32::new(0);
static hits: AtomicU32 = AtomicU32::new(0);
static stats: Stats = Stats(AtomicU32::new(0));

fn look(counted: &AtomicU32) -> u32 {
    counted.load(Ordering::SeqCst)
}

#[spawnsafe::child_entry]
fn entry() -> u32 {
    look(&counter)
    //~ belongs to the process that set it
        + hits.load(Ordering::SeqCst)
    //~ belongs to the process that set it
        + stats.hit()
    //~ match bindings cannot shadow statics
}

fn main() {}
