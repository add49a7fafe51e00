// A runtime that is none, and one for a function that needs none.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry(flavor = "current_thread", worker_threads = 2)]
//~ `flavor` is for `async` functions: a plain one needs no runtime
//~ `worker_threads` is for `async` functions: a plain one needs no runtime
fn plain() {}

#[child_entry(flavor = "many", worker_threads = 0)]
//~ the runtime of an `async` child entry has one of two flavors
//~ `worker_threads` takes a number from 1 to 65535
//~ `flavor` is for `async` functions: a plain one needs no runtime
//~ `worker_threads` is for `async` functions: a plain one needs no runtime
fn unknown() {}

#[child_entry(flavor = 1, worker_threads = "2")]
//~ the runtime of an `async` child entry has one of two flavors
//~ `worker_threads` takes a number from 1 to 65535
fn of_other_types() {}

fn main() {}
