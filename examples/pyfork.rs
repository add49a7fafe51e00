//! Command-line arguments that children need, and a function over ten inputs with up to four children at a time.
//!
//! `cargo run --example pyfork -- -i 2`
//!
//! The Python program parses `-i` at module level, copies it to a global under its `__main__` guard, and lets a pool
//! multiply numbers by that copy. On Unix the pool's processes are forks and find both: `[0, 2, 4, …, 18]`. On Windows
//! each of them parses the command line again (`got args -i 2`, once more for every process) and never sets the copy:
//! `[0, 0, 0, …, 0]`, without an error.
//!
//! Here `main` parses, in the parent only, and a child gets what was parsed as an argument of its function, on every
//! system. The output is that of Unix; its lines come in the order of the inputs, since the parent prints them.

use std::collections::VecDeque;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use spawnsafe::{Child, Error, SpawnSafe, child_entry, process_main};

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Args {
    input: i32,
}

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
fn worker(n: i64, args: &Args) -> i64 {
    n * i64::from(args.input)
}

#[process_main]
fn main() -> Result<ExitCode, Error> {
    let Some(args) = parse_args() else {
        eprintln!("usage: pyfork [-i INPUT]");
        return Ok(ExitCode::from(2));
    };
    println!("got args -i {}", args.input);
    println!("{}", args.input);
    let mut output = Vec::new();
    for (n, product) in (0..10).zip(in_children(0..10, &args)) {
        let product = product?;
        println!("{n} - {product}");
        output.push(product);
    }
    println!("{output:?}");
    Ok(ExitCode::SUCCESS)
}

/// The results in the order of the inputs, with up to four children at a time.
fn in_children(inputs: impl Iterator<Item = i64>, args: &Args) -> impl Iterator<Item = Result<i64, Error>> {
    let mut children = inputs.map(|n| worker::spawn(n, args));
    let mut running = VecDeque::new();
    std::iter::from_fn(move || {
        running.extend(children.by_ref().take(4 - running.len()));
        running.pop_front().map(|child: Result<_, _>| child.and_then(Child::join))
    })
}
