// `#[process_main]` on a function that is not `main`.

use spawnsafe::process_main;

#[process_main]
fn run() {}
//~ `#[process_main]` goes on `fn main`

fn main() {}
