// `#[process_main]` twice.

use spawnsafe::process_main;

#[process_main]
#[process_main]
//~ `main` carries `#[process_main]` twice
fn main() {}
