// A generic entry.

use spawnsafe::child_entry;

#[child_entry]
fn largest<T: Ord>(list: Vec<T>) -> Option<T> {
//~ a child entry cannot be generic: the child process looks it up by its name, so it must be one function
    list.into_iter().max()
}

fn main() {}
