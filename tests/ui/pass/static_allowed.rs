// What is allowed by name is used without a word: each process has its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

static HITS: AtomicU32 = AtomicU32::new(0);

mod library {
    pub static LOG: std::sync::Mutex<Vec<u32>> = std::sync::Mutex::new(Vec::new());
}

static OTHER: Mutex<u32> = Mutex::new(2);

#[spawnsafe::child_entry(allow_static(HITS, library::LOG))]
fn entry() -> usize {
    use library::LOG;
    LOG.lock().unwrap().push(HITS.fetch_add(1, Ordering::SeqCst) + crate::HITS.load(Ordering::SeqCst));
    library::LOG.lock().unwrap().len()
}

#[spawnsafe::spawn_safe(allow_static(OTHER))]
mod helpers {
    pub fn other() -> u32 {
        *super::OTHER.lock().unwrap()
    }

    // Not what an entry calls.
    #[cfg(test)]
    mod tests {
        #[test]
        fn hits() {
            super::super::HITS.load(super::super::Ordering::SeqCst);
        }
    }
}

#[spawnsafe::child_entry]
fn asks_helper() -> u32 {
    helpers::other()
}

#[spawnsafe::process_main]
fn main() {
    HITS.store(5, Ordering::SeqCst);
    assert_eq!(entry(), 1);
    assert_eq!(entry::run().unwrap(), 1);
    *OTHER.lock().unwrap() = 3;
    assert_eq!((asks_helper(), asks_helper::run().unwrap()), (3, 2));
}
