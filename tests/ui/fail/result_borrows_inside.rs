// A result with a borrow in it.

use std::borrow::Cow;

use spawnsafe::child_entry;

#[child_entry]
fn words(text: &str) -> Vec<&str> {
    //~ a child process cannot lend its memory to its parent
    text.split(' ').collect()
}

#[child_entry]
fn trimmed(text: &str) -> Result<Cow<'_, str>, String> {
    //~ a child process cannot lend its memory to its parent
    Ok(text.trim().into())
}

#[child_entry]
fn fixed() -> Option<&'static str> {
    //~ borrows from this process
    None
}

fn main() {}
