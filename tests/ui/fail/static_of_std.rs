// Types of std that are each process's own: by path, alias, import, in nested code, in `thread_local!`.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};

mod config {
    pub static ARGS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
}

use config::ARGS as GIVEN;

static COUNTER: AtomicU32 = AtomicU32::new(0);
static DB: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static VIEW: &Mutex<Vec<u32>> = &DB;
static SLOTS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
static NUM: LazyLock<u32> = LazyLock::new(|| 1);

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

fn look(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::SeqCst)
}

#[spawnsafe::child_entry]
fn paths() -> usize {
    crate::config::ARGS.get().map_or(0, Vec::len)
    //~ this `OnceLock<Vec<String>>` belongs to the process that set it
        + GIVEN.get().map_or(0, Vec::len)
    //~ this `OnceLock<Vec<String>>` belongs to the process that set it
}

#[spawnsafe::child_entry]
fn places(list: Vec<u32>) -> u32 {
    static CELL: OnceLock<u32> = OnceLock::new();
    let sum: u32 = list.iter().map(|x| { let y = x + 1; COUNTER.fetch_add(y, Ordering::Relaxed) }).sum();
    //~ belongs to the process that set it
    fn nested() -> usize {
        DB.lock().unwrap().len()
        //~ Mutex<Vec<u32>>` belongs to the process that set it
    }
    match sum {
        0 => VIEW.lock().unwrap().len() as u32,
        //~ Mutex<Vec<u32>>` belongs to the process that set it
        1 => look(&SLOTS[1]) + nested() as u32,
        //~ belongs to the process that set it
        2 => *NUM,
        //~ this `LazyLock<u32>` belongs to the process that set it
        3 => *CELL.get_or_init(|| 1),
        //~ this `OnceLock<u32>` belongs to the process that set it
        _ => DEPTH.get(),
        //~ this `LocalKey<Cell<u32>>` belongs to the process that set it
    }
}

fn main() {}
