// A `static mut` has no lock that would make its value one.

use spawnsafe::{inherit, process_local};

#[inherit]
static mut COUNT: u32 = 0;
//~ `#[inherit]` cannot guard a `static mut`

#[process_local]
static mut CACHE: Vec<u32> = Vec::new();
//~ `#[process_local]` cannot guard a `static mut`

fn main() {}
