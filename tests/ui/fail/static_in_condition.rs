// Statics wherever an expression may stand in control flow: conditions, guards, ranges, lengths.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

static LIMIT: AtomicUsize = AtomicUsize::new(0);
static MODE: OnceLock<String> = OnceLock::new();

#[spawnsafe::child_entry]
fn guards(n: usize) -> usize {
    match n {
        n if LIMIT.load(Ordering::Relaxed) == n => 1,
        //~ belongs to the process that set it
        1 | 2 if MODE.get().is_some() => 2,
        //~ this `OnceLock<String>` belongs to the process that set it
        _ => 3,
    }
}

#[spawnsafe::child_entry]
fn conditions(n: usize) -> usize {
    let Some(mode) = MODE.get() else { return 0 };
    //~ this `OnceLock<String>` belongs to the process that set it
    while LIMIT.load(Ordering::Relaxed) < n {}
    //~ belongs to the process that set it
    mode.len()
}

#[spawnsafe::child_entry]
fn length() -> usize {
    vec![0; LIMIT.load(Ordering::Relaxed)].len()
    //~ belongs to the process that set it
}

#[spawnsafe::child_entry]
fn range() -> usize {
    (0..LIMIT.load(Ordering::Relaxed)).sum()
    //~ belongs to the process that set it
}

fn main() {}
