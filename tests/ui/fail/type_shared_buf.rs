// What can still be written to is not passed to another process.

#[spawnsafe::child_entry]
fn sum(numbers: spawnsafe::SharedBuf<f64>) {}
//~ `SharedBuf<f64>` can still be written to

fn main() {}
