// What no macro can see, as it is today: each of these compiles, and the child has the value of the start.
// `spawnsafe::spawn_safe` says what to do about it.

use std::sync::atomic::{AtomicU32, Ordering};

static HITS: AtomicU32 = AtomicU32::new(0);
static VIEW: &AtomicU32 = &HITS;
static CALLBACK: fn() -> u32 = || HITS.load(Ordering::SeqCst);

struct Stats(AtomicU32);

impl Stats {
    fn hits(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[allow(non_upper_case_globals)]
static stats: Stats = Stats(AtomicU32::new(0));

#[allow(non_upper_case_globals)]
static Requests: AtomicU32 = AtomicU32::new(0);

static mut HOOK: fn() -> u32 = || 0;

impl PartialEq for Stats {
    fn eq(&self, other: &Self) -> bool {
        self.hits() == other.hits()
    }
}

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

macro_rules! load {
    ($($path:tt)*) => {
        $($path)*.load(Ordering::SeqCst)
    };
}

#[spawnsafe::child_entry]
fn path_of_three_names_in_a_macro() -> u32 {
    load!(deep::deeper::MISSES)
}

#[spawnsafe::child_entry]
fn lower_case_by_path() -> u32 {
    crate::deep::stats.get()
}

mod deep {
    use std::sync::atomic::{AtomicU32, Ordering};

    pub(crate) struct Stats(pub(crate) AtomicU32);

    impl Stats {
        pub(crate) fn get(&self) -> u32 {
            self.0.load(Ordering::SeqCst)
        }
    }

    pub(crate) mod deeper {
        pub(crate) static MISSES: super::AtomicU32 = super::AtomicU32::new(0);
    }

    #[allow(non_upper_case_globals)]
    pub(crate) static stats: Stats = Stats(AtomicU32::new(0));
}

#[spawnsafe::child_entry]
fn lower_case_called_a_method_of_its_own() -> u32 {
    stats.hits()
}

#[spawnsafe::child_entry]
fn written_like_a_type() -> u32 {
    Requests.load(Ordering::SeqCst)
}

static STATS: Stats = Stats(AtomicU32::new(0));

#[spawnsafe::child_entry]
fn compared() -> u32 {
    if STATS == Stats(AtomicU32::new(5)) { 5 } else { 0 }
}

#[spawnsafe::child_entry]
fn called_by_its_name() -> u32 {
    unsafe { HOOK() }
}

#[spawnsafe::process_main]
fn main() {
    unsafe { HOOK = || 5 };
    for counter in [&HITS, &deep::deeper::MISSES, &deep::stats.0, &stats.0, &Requests, &STATS.0] {
        counter.store(5, Ordering::SeqCst);
    }
    let entries = [
        (unmarked_helper(), unmarked_helper::run()),
        (associated_function(), associated_function::run()),
        (body_of_a_macro(), body_of_a_macro::run()),
        (reference_inside_a_plain_static(), reference_inside_a_plain_static::run()),
        (reference_passed_by_value(), reference_passed_by_value::run()),
        (function_pointer(), function_pointer::run()),
        (path_of_three_names_in_a_macro(), path_of_three_names_in_a_macro::run()),
        (lower_case_by_path(), lower_case_by_path::run()),
        (lower_case_called_a_method_of_its_own(), lower_case_called_a_method_of_its_own::run()),
        (written_like_a_type(), written_like_a_type::run()),
        (compared(), compared::run()),
        (called_by_its_name(), called_by_its_name::run()),
    ];
    for (here, there) in entries {
        assert_eq!((here, there.unwrap()), (5, 0));
    }
}
