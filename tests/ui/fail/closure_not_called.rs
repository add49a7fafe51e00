// A closure that nobody calls does not run, and no more does a call that nobody starts.
#![deny(unused_must_use)]

use spawnsafe::{call, spawn};

fn main() {
    spawn!(|| println!("never"));
    //~ not_called` that must be used
    call!(|| println!("never"))();
    //~ unused `Call` that must be used
    spawn!(|| println!("once"))();
    //~ unused `Result` that must be used
}
