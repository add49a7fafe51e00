// A future in a box.

use std::pin::Pin;

use spawnsafe::child_entry;

#[child_entry]
fn later() -> Pin<Box<dyn Future<Output = u32>>> {
//~ is a future, which only
    Box::pin(async { 1 })
}

fn main() {}
