//! Entries under an older edition. `gen` is a name there, and only from 2024 on a keyword.
#![deny(warnings)]

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn add(text: &str, list: Vec<u8>, gen: usize) -> usize {
    text.len() + list.len() + gen
}

#[derive(serde::Serialize, serde::Deserialize, spawnsafe::SpawnSafe)]
struct Job<T> {
    gen: T,
    #[trust]
    more: Option<Box<T>>,
}

#[child_entry]
fn sum(job: Job<u8>, #[trust] gen: &[u8]) -> usize {
    usize::from(job.gen + *job.more.unwrap()) + gen.len()
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
    assert_eq!(sum::run(Job { gen: 1, more: Some(Box::new(2)) }, &[3])?, 4);
    println!("add={} gen={}", add::run("abc", vec![1, 2], 2)?, gen::run(&[1, 2, 3])?);
    Ok(())
}
