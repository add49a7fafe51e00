// What is wrong with one parameter does not hide what is wrong with the type of another.

#![allow(unused)]

use std::sync::{Arc, Mutex};

#[derive(serde::Serialize, serde::Deserialize)]
struct Foreign;

#[spawnsafe::child_entry]
fn signature(list: &mut Vec<u8>, shared: Arc<u8>, words: Vec<&str>) -> std::io::Result<()> {
    //~ a child process changes only its own copy
    //~ `Arc<u8>` refers to memory of this process
    //~ `&'static str` borrows from this process
    //~ `std::io::Error` has no portable form
    Ok(())
}

/// As it is written it borrows from an argument, and the type is not at fault once more.
#[spawnsafe::child_entry]
fn result(text: &str, shared: Arc<u8>) -> Vec<&str> {
    //~ a child process cannot lend its memory to its parent
    //~ `Arc<u8>` refers to memory of this process
    Vec::new()
}

#[spawnsafe::child_entry]
fn generic<T>(value: T, values: Vec<T>, shared: Arc<u8>) {}
//~ a generic child entry stands for many functions
//~ `Arc<u8>` refers to memory of this process

#[spawnsafe::child_entry]
unsafe fn trusting(shared: Arc<u8>, #[trust] lock: Mutex<u8>, #[trust] plain: &Foreign) {}
//~ a child entry cannot be `unsafe`
//~ `Arc<u8>` refers to memory of this process
//~ Mutex<u8>` refers to memory of this process

fn main() {
    let _ = spawnsafe::spawn!(move |shared: Arc<u8>| {});
    //~ there is nothing to `move`
    //~ `Arc<u8>` refers to memory of this process
}
