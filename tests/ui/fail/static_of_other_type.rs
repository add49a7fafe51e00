// Interior mutability somewhere in a type that is not known by name.

use std::sync::atomic::{AtomicU64, Ordering};

struct Stats {
    name: &'static str,
    hits: AtomicU64,
}

static STATS: Stats = Stats { name: "hits", hits: AtomicU64::new(0) };

#[spawnsafe::child_entry]
fn entry() -> u64 {
    let name = STATS.name;
    //~ constant accesses mutable global memory
    STATS.hits.load(Ordering::SeqCst) + name.len() as u64
}

fn main() {}
