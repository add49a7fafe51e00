// A boxed error is a `dyn`, and there is something better.

#![allow(unused)]

use std::error::Error;

use spawnsafe::child_entry;

#[child_entry]
fn plain() -> Result<(), Box<dyn Error>> {
//~ has no portable form
    Ok(())
}

#[child_entry]
fn sent() -> Result<(), Box<dyn Error + Send + Sync>> {
//~ has no portable form
    Ok(())
}

fn main() {}
