//! A program whose `main` lacks the attribute. Each time it runs, it says so in the file that it is given.

use std::io::Write as _;

#[spawnsafe::child_entry]
fn work() -> u32 {
    1
}

fn main() {
    let marks = std::env::args_os().nth(1).expect("the file to leave a mark in");
    let mut marks = std::fs::File::options().append(true).create(true).open(marks).unwrap();
    marks.write_all(b"ran\n").unwrap();
    for _ in 0..3 {
        let error = work::run().unwrap_err();
        println!("{:?}: {error}", error.kind());
    }
}
