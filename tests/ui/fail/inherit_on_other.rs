// What is no static.

use spawnsafe::{inherit, process_local};

#[inherit]
//~ a `const` is the same in every process, so `#[inherit]` means nothing here
const LIMIT: u32 = 1;

#[process_local]
//~ a `const` is the same in every process, so `#[process_local]` means nothing here
const OTHER: u32 = 1;

#[inherit]
//~ `#[inherit]` goes on a `static`
fn function() {}

#[process_local]
//~ `#[process_local]` goes on a `static`
struct Type;

#[inherit]
//~ `#[inherit]` goes on a `static`
mod module {}

fn main() {
    function();
    let _ = (LIMIT, OTHER, Type);
}
