//! Pools of a test binary, as their users see them.

mod awaiting;
mod faults;
#[cfg(target_os = "linux")]
mod handles;
mod maps;
#[cfg(unix)]
mod posix;
mod programs;
mod settings;
#[cfg(any(target_os = "linux", windows))]
mod sockets;
mod statics;
mod tasks;
#[cfg(feature = "tracing")]
mod traced;

use std::time::Duration;

use spawnsafe::{Error, ErrorKind, Pool, PoolBuilder, Stdio, child_entry};
use spawnsafe_tests::eventually;

/// A pool of two workers that keep their complaints to themselves.
fn pool() -> PoolBuilder {
    Pool::builder().workers(2).stderr(Stdio::null())
}

#[child_entry]
fn square(x: u64) -> u64 {
    x * x
}

#[child_entry]
fn process_id() -> u32 {
    std::process::id()
}

#[child_entry]
fn sleeps(milliseconds: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

/// Says in a file that it has begun, and waits for another one.
#[child_entry]
fn begins_and_waits(begun: &std::path::Path, go_on: &std::path::Path) -> u32 {
    std::fs::write(begun, std::process::id().to_string()).unwrap();
    while !go_on.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::process::id()
}

/// The process that has written its id into the file.
fn written_id(path: &std::path::Path) -> u32 {
    eventually("a task begins", || std::fs::read_to_string(path).ok()?.parse().ok())
}

/// What is said of a worker that somebody else has killed: on Windows that is an exit code like any other.
const KILLED: ErrorKind = if cfg!(windows) { ErrorKind::Exited } else { ErrorKind::Signaled };

/// That the pool still works, with all its workers.
#[track_caller]
fn works(pool: &Pool) {
    works_but_for(pool, |_| false);
}

/// The same for a pool whose tasks may run for a short time only: on a busy machine, any may be too slow.
#[track_caller]
fn works_within_its_limit(pool: &Pool) {
    works_but_for(pool, |error| error.kind() == ErrorKind::TimedOut);
}

#[track_caller]
fn works_but_for(pool: &Pool, may_be: impl Fn(&Error) -> bool) {
    for (x, square) in (0..200).zip(pool.map(square::call, 0..200)) {
        match square {
            Ok(square) => assert_eq!(square, x * x),
            Err(error) => assert!(may_be(&error), "{error}"),
        }
    }
    eventually("all workers are there again", || (pool.figures().workers == 2).then_some(()));
}
