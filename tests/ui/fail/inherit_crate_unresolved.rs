// A path at which there is no spawnsafe.

use std::sync::Mutex;

use spawnsafe::{inherit, process_local};

#[inherit(crate = crate::nowhere)]
//~ E0433
static THREE: Mutex<u32> = Mutex::new(0);

#[process_local(crate = crate::nowhere)]
//~ E0433
static FOUR: Mutex<u32> = Mutex::new(0);

fn main() {}
