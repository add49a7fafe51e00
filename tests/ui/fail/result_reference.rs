// A result that borrows.

use spawnsafe::child_entry;

#[child_entry]
fn head<'a>(text: &'a str) -> &'a str {
//~ a child process cannot lend its memory to its parent
    text
}

fn main() {}
