// A function that cannot be parsed is rustc's to complain about, once.

use spawnsafe::child_entry;

#[child_entry]
fn run(x: u32) -> {
//~ expected type, found `{`
    x
}

fn main() {}
