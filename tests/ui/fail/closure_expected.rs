// Something else than a closure.

use spawnsafe::{call, spawn};

fn work() {}

fn main() {
    let _ = spawn!(work())(1);
    //~ a closure is expected here
    let _ = call!();
    //~ a closure is expected here
    let _ = spawn!(static || {});
    //~ expected `|`
}
