// A `Handle` holds what the system has open, and not what lives in memory.

use spawnsafe::Handle;

#[spawnsafe::child_entry]
fn count(total: Handle<std::sync::Mutex<u32>>, log: Handle<std::fs::File>) {}
//~ Mutex<u32>` is no open file, socket or pipe

fn main() {
    Handle::new(String::new());
    //~ `String` is no open file, socket or pipe
}
