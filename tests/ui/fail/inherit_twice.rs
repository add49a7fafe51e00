// One attribute, once.

use std::sync::Mutex;

use spawnsafe::{inherit, process_local};

#[inherit]
#[inherit]
//~ carries `#[inherit]` twice
static ONE: Mutex<u32> = Mutex::new(0);

#[process_local]
#[process_local]
//~ carries `#[process_local]` twice
static TWO: Mutex<u32> = Mutex::new(0);

#[inherit]
#[process_local]
//~ a static is either inherited, or each process's own
static THREE: Mutex<u32> = Mutex::new(0);

#[process_local]
#[spawnsafe::inherit]
//~ a static is either inherited, or each process's own
static FOUR: Mutex<u32> = Mutex::new(0);

fn main() {
    let _ = (ONE.lock(), TWO.lock(), THREE.lock(), FOUR.lock());
}
