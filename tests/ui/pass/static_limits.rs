// What no macro can see, as it is today: each of these compiles, and the child has the value of the start.
// `spawnsafe::spawn_safe` says what to do about it.

use std::sync::atomic::{AtomicU32, Ordering};

static HITS: AtomicU32 = AtomicU32::new(0);
static VIEW: &AtomicU32 = &HITS;
static CALLBACK: fn() -> u32 = || HITS.load(Ordering::SeqCst);

struct Counter;

impl Counter {
    fn hits() -> u32 {
        HITS.load(Ordering::SeqCst)
    }
}

struct Shared {
    hits: &'static AtomicU32,
}

static SHARED: Shared = Shared { hits: &HITS };

macro_rules! hits {
    () => {
        HITS.load(Ordering::SeqCst)
    };
}

fn load(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::SeqCst)
}

fn helper() -> u32 {
    HITS.load(Ordering::SeqCst)
}

#[spawnsafe::child_entry]
fn unmarked_helper() -> u32 {
    helper()
}

#[spawnsafe::child_entry]
fn associated_function() -> u32 {
    Counter::hits()
}

#[spawnsafe::child_entry]
fn body_of_a_macro() -> u32 {
    hits!()
}

#[spawnsafe::child_entry]
fn reference_inside_a_plain_static() -> u32 {
    SHARED.hits.load(Ordering::SeqCst)
}

#[spawnsafe::child_entry]
fn reference_passed_by_value() -> u32 {
    load(VIEW)
}

#[spawnsafe::child_entry]
fn function_pointer() -> u32 {
    CALLBACK()
}

#[spawnsafe::process_main]
fn main() {
    HITS.store(5, Ordering::SeqCst);
    let entries = [
        (unmarked_helper(), unmarked_helper::run()),
        (associated_function(), associated_function::run()),
        (body_of_a_macro(), body_of_a_macro::run()),
        (reference_inside_a_plain_static(), reference_inside_a_plain_static::run()),
        (reference_passed_by_value(), reference_passed_by_value::run()),
        (function_pointer(), function_pointer::run()),
    ];
    for (here, there) in entries {
        assert_eq!((here, there.unwrap()), (5, 0));
    }
}
