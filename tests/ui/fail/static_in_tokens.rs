// Statics among the tokens of macros of which nothing is known, in places where a name is mostly something else.

#![allow(static_mut_refs)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

macro_rules! tokens {
    ($($tokens:tt)*) => {
        $($tokens)*
    };
}

macro_rules! keyed {
    ({ $($key:literal: $value:expr),* }) => {
        [$(($key, $value)),*]
    };
}

/// Called and used as in `log` and `tracing`.
macro_rules! info {
    (target: $target:literal, $($arguments:tt)+) => {
        println!($($arguments)+)
    };
}

static HITS: AtomicU32 = AtomicU32::new(0);
static NAME: OnceLock<String> = OnceLock::new();
static mut TOTAL: u32 = 0;
static mut SEEN: u32 = 0;

#[spawnsafe::child_entry]
fn value_of_a_key() -> usize {
    keyed!({ "hits": HITS.load(Ordering::SeqCst), "other": 1 }).len()
    //~ belongs to the process that set it
}

#[spawnsafe::child_entry]
fn text_behind_another() {
    info!(target: "{a}", "{NAME:?}");
    //~ this `OnceLock<String>` belongs to the process that set it
    assert_eq!("{b}", "{b}", "{HITS:?}");
    //~ belongs to the process that set it
}

#[spawnsafe::child_entry]
fn unsafe_code() -> u32 {
    tokens!(unsafe { TOTAL })
    //~ constant accesses mutable global memory
}

#[spawnsafe::child_entry]
fn address_that_is_no_binding() -> u32 {
    let address = tokens!(&raw mut SEEN);
    unsafe {
        SEEN += 1;
        //~ constant accesses mutable global memory
        *address
    }
}

#[spawnsafe::child_entry]
fn declared_by_a_macro() -> usize {
    lazy_static::lazy_static! {
        static ref WORDS: Vec<String> = Vec::new();
    }
    WORDS.len()
    //~ this static is made anew by each process that uses it
}

#[spawnsafe::child_entry]
fn closure_of_another_child() {
    let _ = spawnsafe::spawn!(|| drop(HITS.load(Ordering::SeqCst)));
    //~ belongs to the process that set it
    use spawnsafe::call;
    let _ = call!(|more: u32| -> u32 { HITS.load(Ordering::SeqCst) + more });
    //~ belongs to the process that set it
}

fn main() {}
