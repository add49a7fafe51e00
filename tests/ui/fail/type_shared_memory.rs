// What threads share, a child process would get a separate copy of.

#![allow(unused)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock};

use spawnsafe::child_entry;

#[child_entry]
fn count(
    a: Arc<u32>,
    //~ refers to memory of this process
    b: Rc<u32>,
    //~ refers to memory of this process
    c: Cell<u32>,
    //~ refers to memory of this process
    d: RefCell<Vec<u32>>,
    //~ refers to memory of this process
    e: Mutex<u32>,
    //~ refers to memory of this process
    f: RwLock<u32>,
    //~ refers to memory of this process
    g: AtomicU32,
    //~ refers to memory of this process
    h: OnceLock<u32>,
    //~ refers to memory of this process
    i: MutexGuard<'_, u32>,
    //~ refers to memory of this process
) {
}

fn main() {}
