// A `Call` does nothing by itself.

#![deny(unused_must_use)]

use spawnsafe::child_entry;

#[child_entry]
fn run(_x: u32) {}

fn main() {
    run::call(1);
    //~ unused `Call` that must be used
}
