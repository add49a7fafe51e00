//! The program of `pyfork.rs` with its globals: what `main` sets is there in the children.
//!
//! `cargo run --example pyfork_inherit -- -i 2`
//!
//! It is the Python program line by line: `args` and `argcopy` are globals, `main` sets them, and the children read both.
//! A forked process would have them as they were; a spawned one has them because they carry `#[inherit]`. Without it
//! the children would find `ARGS` empty and `ARGCOPY` at 0, as Python's do on Windows.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use spawnsafe::{Child, Error, SpawnSafe, child_entry, inherit, process_main};

#[derive(Debug, Serialize, Deserialize)]
struct Args {
    input: i64,
}

impl SpawnSafe for Args {}

#[inherit]
static ARGS: OnceLock<Args> = OnceLock::new();

#[inherit]
static ARGCOPY: AtomicI64 = AtomicI64::new(0);

/// `-i N` or `--input N`; 0 if there is none.
fn parse_args() -> Option<Args> {
    let mut args = std::env::args_os().skip(1);
    let input = match args.next() {
        None => 0,
        Some(option) if option == "-i" || option == "--input" => args.next()?.to_str()?.parse().ok()?,
        Some(_) => return None,
    };
    args.next().is_none().then_some(Args { input })
}

#[child_entry]
fn worker(n: i64) -> (i64, i64) {
    let args = ARGS.get().expect("main has set it before it started this process");
    (n * args.input, n * ARGCOPY.load(Ordering::Relaxed))
}

#[process_main]
fn main() -> Result<ExitCode, Error> {
    let Some(args) = parse_args() else {
        eprintln!("usage: pyfork_inherit [-i INPUT]");
        return Ok(ExitCode::from(2));
    };
    println!("got args -i {}", args.input);
    println!("{}", args.input);
    ARGCOPY.store(args.input, Ordering::Relaxed);
    ARGS.set(args).expect("nobody else sets it");
    let mut output = Vec::new();
    for (n, products) in (0..10).zip(in_children(0..10)) {
        let (by_args, by_copy) = products?;
        println!("{n} - {by_args}");
        output.push(by_copy);
    }
    println!("{output:?}");
    Ok(ExitCode::SUCCESS)
}

/// The results in the order of the inputs, with up to four children at a time.
fn in_children(inputs: impl Iterator<Item = i64>) -> impl Iterator<Item = Result<(i64, i64), Error>> {
    let mut children = inputs.map(worker::spawn);
    let mut running = VecDeque::new();
    std::iter::from_fn(move || {
        running.extend(children.by_ref().take(4 - running.len()));
        running.pop_front().map(|child: Result<_, _>| child.and_then(Child::join))
    })
}
