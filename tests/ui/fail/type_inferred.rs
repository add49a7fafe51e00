// A signature names its types.

use spawnsafe::child_entry;

#[child_entry]
fn run(x: _) {}
//~ E0121

fn main() {}
