// `main` keeps its exit code, and a child has none of it.

use std::process::ExitCode;

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn double(x: u32) -> u32 {
    x * 2
}

#[process_main]
fn main() -> ExitCode {
    ExitCode::from(u8::from(double::run(2).ok() != Some(4)))
}
