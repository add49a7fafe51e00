// A runtime's attribute above `#[process_main]` works as well: it leaves a plain `main` behind.

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn double(x: u32) -> u32 {
    x * 2
}

#[tokio::main]
#[process_main]
async fn main() -> Result<(), spawnsafe::Error> {
    assert_eq!(double::run(2)?, 4);
    Ok(())
}
