// An option that does not exist.

use spawnsafe::{child_entry, process_main};

#[child_entry(nam = "sum")]
//~ `#[child_entry]` has no option `nam`
fn sum(x: u32) -> u32 {
    x
}

#[process_main(name = "main")]
//~ `#[process_main]` has no option `name`
fn main() {}
