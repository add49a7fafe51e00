// The same where a type is at fault.

#![allow(unused)]

use std::sync::{Arc, Mutex};

use spawnsafe::child_entry;

#[child_entry]
fn count(total: Arc<Mutex<u32>>, text: &str) -> usize {
//~ refers to memory of this process
    *total.lock().unwrap() += 1;
    text.len()
}

fn main() -> Result<(), spawnsafe::Error> {
    let total = Arc::new(Mutex::new(0));
    let len: usize = count::run(Arc::clone(&total), "a")?;
    let child = count::spawn(Arc::clone(&total), "a")?;
    let call = count::call(Arc::clone(&total), "a").name("counting");
    println!("{} {len} {} {}", count::NAME, child.join()?, call.run()?);
    count(total, "a");
    Ok(())
}
