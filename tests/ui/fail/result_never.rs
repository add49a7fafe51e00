// An entry that does not return.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
fn serve(port: u16) -> ! {
//~ a child entry answers by returning, so its result cannot be `!`
    panic!("{port}")
}

fn main() {}
