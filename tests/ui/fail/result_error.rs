// Errors without a portable form.

#![allow(unused)]

use std::path::Path;

use spawnsafe::child_entry;

#[child_entry]
fn read(path: &Path) -> Result<Vec<u8>, std::io::Error> {
//~ has no portable form
    std::fs::read(path)
}

#[child_entry]
fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
//~ has no portable form
    text.parse()
}

fn main() {}
