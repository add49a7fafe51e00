// A result that borrows, in a type that hides it.

use std::borrow::Cow;

#[spawnsafe::child_entry]
fn whole(text: &str) -> Cow<str> {
    //~ a child process cannot lend its memory to its parent
    text.into()
}

#[spawnsafe::child_entry]
fn inside(list: &[u8]) -> Vec<std::borrow::Cow<[u8]>> {
    //~ a child process cannot lend its memory to its parent
    vec![list.into()]
}

fn main() {}
