// A thread-local static can be each process's own; it cannot be inherited.

use std::cell::Cell;

use spawnsafe::{inherit, process_local};

#[inherit]
//~ a thread-local static belongs to one thread
thread_local! {
    static OUTSIDE: Cell<u32> = const { Cell::new(0) };
}

thread_local! {
    #[inherit]
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    //~ a thread-local static belongs to one thread
}

#[process_local]
//~ `#[process_local]` goes on the static inside `thread_local!`
thread_local! {
    static OWN: Cell<u32> = const { Cell::new(0) };
}

fn main() {
    INSIDE.set(1);
    OWN.set(OUTSIDE.get());
}
