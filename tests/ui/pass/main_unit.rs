// `main` without a result, after attributes of its own.

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn double(x: u32) -> u32 {
    x * 2
}

/// Documented.
#[allow(clippy::unwrap_used)]
#[process_main]
fn main() {
    assert_eq!(double::run(2).unwrap(), 4);
}
