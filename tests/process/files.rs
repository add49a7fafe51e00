//! Entries that are given files.

use std::fs::File;
use std::io::Write as _;

use spawnsafe::{Handle, child_entry};

#[child_entry]
pub(super) fn write_to(mut file: Handle<File>, text: &str) {
    file.write_all(text.as_bytes()).unwrap();
}

#[child_entry]
pub(super) fn write_through(file: &Handle<File>, text: &str) {
    (&**file).write_all(text.as_bytes()).unwrap();
}

#[child_entry]
pub(super) fn give_back(files: Vec<Handle<File>>) -> Vec<Handle<File>> {
    files
}

#[child_entry]
pub(super) fn never(_: Handle<File>) {
    std::process::exit(3);
}
