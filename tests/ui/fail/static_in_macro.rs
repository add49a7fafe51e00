// Statics in the arguments of macros: of those that are known, and of others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

macro_rules! load {
    ($counter:expr) => {
        $counter.load(Ordering::SeqCst)
    };
}

static ARGS: OnceLock<String> = OnceLock::new();
static WIDTH: OnceLock<String> = OnceLock::new();
static HITS: AtomicU32 = AtomicU32::new(0);
static MISSES: AtomicU32 = AtomicU32::new(0);

mod other {
    pub static TRIES: super::AtomicU32 = super::AtomicU32::new(0);
}

#[spawnsafe::child_entry]
fn known() -> usize {
    println!("{ARGS:?} {:?}", WIDTH);
    //~ this `OnceLock<String>` belongs to the process that set it
    //~ this `OnceLock<String>` belongs to the process that set it
    vec![HITS.load(Ordering::SeqCst)].len()
    //~ belongs to the process that set it
}

#[spawnsafe::child_entry]
fn unknown() -> u32 {
    use other::TRIES as T;
    load!(HITS)
    //~ belongs to the process that set it
        + load!(crate::MISSES)
    //~ belongs to the process that set it
        + load!(other::TRIES)
    //~ belongs to the process that set it
        + load!(T)
    //~ belongs to the process that set it
}

fn main() {}
