// A value of the wrong kind.

use spawnsafe::child_entry;

#[child_entry(name = 1)]
//~ the name of an entry is a string literal
fn sum(x: u32) -> u32 {
    x
}

#[child_entry(name = b"a")]
//~ the name of an entry is a string literal
fn product(x: u32) -> u32 {
    x
}

#[child_entry(name = NAME)]
//~ the name of an entry is a string literal
fn quotient(x: u32) -> u32 {
    x
}

#[child_entry(crate = "spawnsafe")]
//~ `crate` takes the path of the spawnsafe crate, without quotes
fn difference(x: u32) -> u32 {
    x
}

const NAME: &str = "a";

fn main() {}
