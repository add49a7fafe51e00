//! Counts the words of text files, one child process for each file.
//!
//! `cargo run --release --example word_count -- FILE…`
//!
//! A file that crashes its reader takes one child down and nothing else; here, one that cannot be read is reported and
//! the others are counted all the same.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use spawnsafe::{Child, RemoteError, SpawnSafe, child_entry, process_main};

/// What a child sends back.
#[derive(Serialize, Deserialize, SpawnSafe)]
struct Count {
    words: usize,
    lines: usize,
    bytes: usize,
    process: u32,
}

#[child_entry]
fn count_words(path: &Path) -> Result<Count, RemoteError> {
    let mut file = BufReader::new(std::fs::File::open(path)?);
    let mut count = Count { words: 0, lines: 0, bytes: 0, process: std::process::id() };
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        count.lines += 1;
        count.bytes += line.len();
        count.words += line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
        line.clear();
    }
    Ok(count)
}

#[process_main]
fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        eprintln!("usage: word_count FILE…");
        return ExitCode::from(2);
    }
    println!("process {} counts {} files, each in a process of its own", std::process::id(), files.len());
    let start = Instant::now();
    let (mut words, mut failed) = (0, 0);
    for (path, result) in in_children(&files) {
        match result {
            Ok(count) => {
                let Count { words: in_file, lines, bytes, process } = count;
                println!(
                    "{in_file:>10} words {lines:>9} lines {bytes:>11} bytes  {}  (process {process})",
                    path.display()
                );
                words += in_file;
            }
            Err(error) => {
                failed += 1;
                eprintln!("{}: {error}", path.display());
            }
        }
    }
    println!("{words:>10} words in {} files, {:.1?}", files.len() - failed, start.elapsed());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The counts in the order of the files, with as many children at a time as there are processors.
fn in_children(files: &[PathBuf]) -> impl Iterator<Item = (&Path, Result<Count, Box<dyn std::error::Error>>)> {
    type Counting = Child<Result<Count, RemoteError>>;
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let mut waiting = files.iter().map(PathBuf::as_path);
    let mut running: VecDeque<(&Path, Result<Counting, spawnsafe::Error>)> = VecDeque::new();
    std::iter::from_fn(move || {
        let missing = at_once - running.len();
        running.extend(waiting.by_ref().take(missing).map(|path| (path, count_words::spawn(path))));
        let (path, child) = running.pop_front()?;
        // The first question mark is about the process, the second about the file.
        Some((path, (|| Ok(child?.join()??))()))
    })
}
