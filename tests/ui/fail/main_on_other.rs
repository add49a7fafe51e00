// `#[process_main]` on something that is no function.

use spawnsafe::process_main;

#[process_main]
//~ `#[process_main]` goes on `fn main`
struct Main;

fn main() {}
