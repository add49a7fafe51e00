// Only plain data can lie in memory that processes share.

use spawnsafe::{SharedBuf, SharedSlice};

#[spawnsafe::child_entry]
fn count(words: Vec<SharedSlice<String>>, numbers: SharedSlice<[f32; 4]>) {}
//~ `String` cannot lie in memory that processes share

struct Point {
    x: f64,
    y: f64,
}

fn main() {
    let _ = SharedBuf::<Point>::zeroed(3);
    //~ `Point` cannot lie in memory that processes share
}
