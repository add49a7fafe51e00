//! Entries under an older edition. `gen` is a name there, and only from 2024 on a keyword.
#![deny(warnings)]

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn add(text: &str, list: Vec<u8>, gen: usize) -> usize {
    text.len() + list.len() + gen
}

static TABLE: [u8; 4] = [1; 4];

macro_rules! pass_on {
    ($($tokens:tt)*) => { $($tokens)* };
}

#[child_entry]
fn gen(add: &[u32]) -> usize {
    add.len() + pass_on!(TABLE).len() + pass_on!(crate::TABLE.len() - (&self::TABLE).len())
}

#[process_main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    assert!(gen::NAME.ends_with("::gen"));
    println!("add={} gen={}", add::run("abc", vec![1, 2], 2)?, gen::run(&[1, 2, 3])?);
    Ok(())
}
