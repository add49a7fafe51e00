// The user's word is not taken for a lock, an atomic or a cell.

use std::cell::RefCell;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry};

#[derive(Serialize, Deserialize)]
struct Foreign {
    name: String,
    count: RefCell<u32>,
}

#[derive(Serialize, Deserialize)]
struct Holder<T>(T);

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Job<T> {
    #[trust]
    foreign: Foreign,
    //~ E0080
    #[trust]
    generic: Holder<Option<RefCell<T>>>,
    //~ E0080
    #[trust]
    plain: Holder<Vec<T>>,
    #[trust]
    behind_a_pointer: Vec<Option<Mutex<u8>>>,
    //~ Mutex<u8>` refers to memory of this process
}

#[child_entry]
fn work(
    #[trust] lock: Mutex<u32>,
    //~ Mutex<u32>` refers to memory of this process
    #[trust] behind_pointers: &Box<std::sync::atomic::AtomicU8>,
    //~ refers to memory of this process
    #[trust] array: [Mutex<u8>; 2],
    //~ Mutex<u8>` refers to memory of this process
    #[trust] lent: &Foreign,
    //~ E0080
    #[trust] slice: &[Foreign],
    //~ E0080
    #[trust] plain: &Holder<u8>,
) {
    let (_, _, _, _, _, _) = (lock, behind_pointers, array, lent, slice, plain);
}

fn main() {}
