// An option without `=`, and one without a value.

use spawnsafe::child_entry;

#[child_entry(name)]
//~ the option `name` needs a value
fn sum(x: u32) -> u32 {
    x
}

#[child_entry(name = )]
//~ the option `name` needs a value
fn product(x: u32) -> u32 {
    x
}

#[child_entry(name("a"))]
//~ the option `name` needs a value
fn quotient(x: u32) -> u32 {
    x
}

fn main() {}
