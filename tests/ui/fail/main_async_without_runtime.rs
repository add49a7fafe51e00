// An `async fn main` needs a runtime's attribute.

use spawnsafe::process_main;

#[process_main]
async fn main() {}
//~ `main` is `async`, and no runtime's attribute follows
