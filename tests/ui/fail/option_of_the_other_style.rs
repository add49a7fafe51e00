// `#[child_entry = …]` is no form of it.

use spawnsafe::child_entry;

#[child_entry = "sum"]
//~ key-value macro attributes are not supported
//~ `#[child_entry]` takes options of the form `option = value`
fn sum(x: u32) -> u32 {
    x
}

fn main() {}
