// What an instance's types lack is said where the instance is listed, and what the function asks for in vain where it
// does.

#![allow(unused)]

use std::rc::Rc;
use std::sync::Mutex;

use spawnsafe::child_entry;

struct Own;

#[child_entry(instantiate(T = u32), instantiate(T = Rc<u32>), instantiate(T = Own))]
//~ `Rc<u32>` refers to memory of this process, which a child process does not share
//~ `Own` cannot be passed between a process and its child
fn first<T: 'static>(list: Vec<T>, other: T) -> T {
    other
}

#[child_entry(instantiate(T = u32), instantiate(T = Vec<u8>))]
//~ `Vec<u8>` doesn't implement `std::fmt::Display`
fn shown<T: std::fmt::Display>(list: &[T]) -> String {
    String::new()
}

#[child_entry(instantiate(T = u32), instantiate(T = u64))]
fn counted<T>(list: Vec<T>, count: Mutex<u32>) -> usize {
//~ Mutex<u32>` refers to memory of this process, which a child process does not share
    0
}

fn main() {
    let _ = first::run(vec![1u32], 2);
    let _ = counted::run(vec![1u32], Mutex::new(0));
}
