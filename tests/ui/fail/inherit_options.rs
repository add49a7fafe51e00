// Options that there are not.

use std::sync::Mutex;

use spawnsafe::{inherit, process_local};

#[inherit(name = "x")]
//~ `#[inherit]` has no option `name`
static ONE: Mutex<u32> = Mutex::new(0);

#[process_local(lazy)]
//~ `#[process_local]` has no option `lazy`
static TWO: Mutex<u32> = Mutex::new(0);

fn main() {
    let _ = (ONE.lock(), TWO.lock());
}
