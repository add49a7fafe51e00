// A type that says of itself that each process has its own: no probe minds. Inside another type it says nothing of that one.

use std::sync::atomic::{AtomicU32, Ordering};

struct Own(AtomicU32);

impl spawnsafe::__private::Declared for Own {}

static HITS: Own = Own(AtomicU32::new(1));

mod other {
    pub(crate) static LIST: [super::Own; 1] = [super::Own(super::AtomicU32::new(2))];
    pub(crate) static VIEW: &super::Own = &super::HITS;
}

#[spawnsafe::child_entry]
fn entry() -> u32 {
    HITS.0.load(Ordering::SeqCst) + other::VIEW.0.load(Ordering::SeqCst)
}

#[spawnsafe::child_entry(allow_static(LIST))]
fn list() -> u32 {
    other::LIST[0].0.load(Ordering::SeqCst)
}

#[spawnsafe::process_main]
fn main() {
    HITS.0.store(5, Ordering::SeqCst);
    assert_eq!((entry(), entry::run().unwrap()), (10, 2));
    assert_eq!(list::run().unwrap(), 2);
}
