//! Pools whose workers are elsewhere, as their users see them: on this machine, through commands that could as well reach
//! others.

mod common;
mod faults;

use std::time::Duration;

use spawnsafe::{Engine, Pool, PoolBuilder, Stdio, child_entry};

/// A prefix that does nothing.
fn command() -> Engine {
    Engine::command(["sh", "-c", "exec \"$@\"", "--"])
}

/// A pool of two workers on each node that keep their complaints to themselves.
fn pool(engine: Engine) -> PoolBuilder {
    Pool::builder().engine(engine).workers(2).stderr(Stdio::null())
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

/// That the pool still works.
#[track_caller]
fn works(pool: &Pool) {
    let squares: Vec<u64> = pool.map(square::call, 0..200).collect::<Result<_, _>>().unwrap();
    assert_eq!(squares, (0..200).map(|x| x * x).collect::<Vec<u64>>());
}
