// A name without `name =`.

use spawnsafe::child_entry;

#[child_entry("sum")]
//~ `#[child_entry]` takes options of the form `option = value`
fn sum(x: u32) -> u32 {
    x
}

fn main() {}
