// Faults of the options and of the signature, all in one compile.

use spawnsafe::child_entry;

#[child_entry(nam = "a", name = 1, name = "", crate = 2, crate)]
//~ `#[child_entry]` has no option `nam`
//~ the name of an entry is a string literal
//~ the name of an entry cannot be empty
//~ `crate` takes the path of the spawnsafe crate, without quotes
//~ the option `crate` needs a value
fn sum(x: &mut u32) -> &u32 {
//~ a child process changes only its own copy, so `&mut` would have no effect here
//~ a child process cannot lend its memory to its parent
    x
}

fn main() {}
