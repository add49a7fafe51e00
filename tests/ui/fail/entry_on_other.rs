// `#[child_entry]` on anything else.

use spawnsafe::child_entry;

#[child_entry]
//~ `#[child_entry]` goes on a free function with a body
static TOTAL: u32 = 0;

#[child_entry]
//~ `#[child_entry]` goes on a free function with a body
trait Run {}

fn main() {}
