// An `async` entry without the feature that runs it.

use spawnsafe::child_entry;

#[child_entry]
async fn run(x: u32) -> u32 {
//~ an `async` child entry runs on tokio, which is not switched on
    x
}

fn main() {
    let _: u32 = run::run(1).unwrap();
    let _ = spawnsafe::spawn!(async |x: u32| -> u32 { x });
    //~ an `async` child entry runs on tokio, which is not switched on
}
