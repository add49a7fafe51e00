// An entry in a function body is an item: it captures nothing.

#![allow(unused)]

use spawnsafe::child_entry;

fn main() {
    let base = 1;

    #[child_entry]
    fn add(x: u32) -> u32 {
        x + base
        //~ E0434
    }
}
