// Statics that are named like variables.

#![allow(non_upper_case_globals)]

use std::sync::atomic::{AtomicU32, Ordering};

pub struct Stats {
    hits: AtomicU32,
}

static counter: AtomicU32 = AtomicU32::new(0);
static hits: AtomicU32 = AtomicU32::new(0);
static stats: Stats = Stats { hits: AtomicU32::new(0) };
static mut total: u32 = 0;
static mut index: usize = 0;
static perRequest: AtomicU32 = AtomicU32::new(0);

fn look(counted: &AtomicU32) -> u32 {
    counted.load(Ordering::SeqCst)
}

#[spawnsafe::child_entry]
fn entry() -> u32 {
    look(&counter)
    //~ belongs to the process that set it
        + hits.load(Ordering::SeqCst)
    //~ belongs to the process that set it
        + stats.hits.load(Ordering::SeqCst)
    //~ constant accesses mutable global memory
        + perRequest.load(Ordering::SeqCst)
    //~ belongs to the process that set it
        + unsafe { total + [1][index] }
    //~ constant accesses mutable global memory
    //~ constant accesses mutable global memory
}

fn main() {}
