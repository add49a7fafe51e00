// What is wrong with the body does not hide what is wrong with the signature.

use std::sync::{Arc, Mutex};

static DB: Mutex<u32> = Mutex::new(0);

#[spawnsafe::child_entry]
fn checked(list: &mut Vec<u32>) -> u32 {
    //~ a child process changes only its own copy
    list.len() as u32 + *DB.lock().unwrap()
    //~ Mutex<u32>` belongs to the process that set it
}

#[spawnsafe::child_entry]
fn typed(list: Arc<u32>) -> u32 {
    //~ `Arc<u32>` refers to memory of this process
    *list + *DB.lock().unwrap()
    //~ Mutex<u32>` belongs to the process that set it
}

fn main() {}
