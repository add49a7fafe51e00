// `main` keeps its result.

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn double(x: u32) -> u32 {
    x * 2
}

#[process_main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(double::run(2)?, double(2));
    Ok(())
}
