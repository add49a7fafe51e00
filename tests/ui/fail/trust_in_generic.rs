//! `#[trust]` is checked at the type that is written, and that of a generic entry is not known there.

use spawnsafe::child_entry;

#[child_entry(instantiate(T = u32))]
fn first<T>(#[trust] list: Vec<T>) -> usize {
    //~ `#[trust]` and `instantiate` do not go together
    list.len()
}

fn main() {}
