//! Pools whose workers are elsewhere, as their users see them: on this machine, through commands that could as well reach
//! others. One suite for all engines, and what is special to each; and batches.

// Nodes are found, stopped and killed by what `/proc` tells.
#![cfg(target_os = "linux")]

mod batch;
mod common;
mod faults;
mod grid;
#[cfg(feature = "nats")]
mod nats;
mod network;
mod programs;
mod slurm;
mod ssh;
#[cfg(feature = "tracing")]
mod traced;

use std::path::Path;
use std::time::{Duration, Instant};

use spawnsafe::{Engine, Pool, PoolBuilder, Stdio, child_entry};
use spawnsafe_tests::{DEADLINE, eventually};

/// A prefix that does nothing, on as many nodes.
fn command(nodes: usize) -> Engine {
    let prefixes = vec!["sh -c 'exec \"$@\"' --"; nodes];
    format!("command:{}", prefixes.join(" ; ")).parse().unwrap()
}

/// A pool of two workers on each node that keep their complaints to themselves.
fn pool(engine: &Engine) -> PoolBuilder {
    Pool::builder().engine(engine.clone()).workers(2).stderr(Stdio::null())
}

/// Waits until all nodes are there, and counts their workers: those of `pool` are two on each.
#[track_caller]
fn all_workers(pool: &Pool, engine: &Engine) -> usize {
    let text = engine.to_string();
    let nodes = match text.split_once(':').unwrap_or((&text, "")) {
        ("ssh", rest) => rest.split(',').count(),
        ("slurm", rest) => rest.split("-N").nth(1).map_or(1, |rest| rest[..1].parse().unwrap()),
        // The tests call their apps so.
        ("nats", rest) => rest.split("nodes").nth(1).map_or(1, |rest| rest[..1].parse().unwrap()),
        (_, rest) => rest.split(" ; ").count(),
    };
    eventually("all nodes are there", || (pool.figures().workers == 2 * nodes).then_some(2 * nodes))
}

#[child_entry]
fn square(x: u64) -> u64 {
    x * x
}

/// The worker, and the agent or the pool that has started it.
#[child_entry]
fn process_ids() -> (u32, u32) {
    (std::process::id(), std::os::unix::process::parent_id())
}

#[child_entry]
fn sleeps(milliseconds: u64) -> (u32, u32) {
    std::thread::sleep(Duration::from_millis(milliseconds));
    process_ids()
}

/// What it computes, its worker and its agent.
#[child_entry(on_loss = retry(3))]
fn squares_slowly(x: u64) -> (u64, u32, u32) {
    std::thread::sleep(Duration::from_millis(100));
    (x * x, std::process::id(), std::os::unix::process::parent_id())
}

/// Says in a file that it has begun, and waits for another one.
#[child_entry]
fn begins_and_waits(begun: &Path, go_on: &Path) -> (u32, u32) {
    begin_and_wait(begun, go_on)
}

/// As the other one; and it may run twice.
#[child_entry(on_loss = retry(3))]
fn begins_and_waits_again(begun: &Path, go_on: &Path) -> (u32, u32) {
    begin_and_wait(begun, go_on)
}

fn begin_and_wait(begun: &Path, go_on: &Path) -> (u32, u32) {
    let ids = process_ids();
    std::fs::write(begun.with_extension("new"), format!("{} {}", ids.0, ids.1)).unwrap();
    std::fs::rename(begun.with_extension("new"), begun).unwrap();
    let start = Instant::now();
    while !go_on.exists() {
        assert!(start.elapsed() < 4 * DEADLINE, "the test that would say so is gone");
        std::thread::sleep(Duration::from_millis(2));
    }
    ids
}

/// The worker and the agent that have written their ids into the file.
fn written_ids(path: &Path) -> (u32, u32) {
    eventually("a task begins", || {
        let text = std::fs::read_to_string(path).ok()?;
        let (worker, agent) = text.split_once(' ')?;
        Some((worker.parse().ok()?, agent.parse().ok()?))
    })
}

#[allow(unsafe_code)]
fn signal(process: u32, signal: i32) {
    // SAFETY: kill(2) has no preconditions. The process belongs to a pool of the test, which has not ended.
    unsafe { libc::kill(process as i32, signal) };
}

/// That the pool still works.
#[track_caller]
fn works(pool: &Pool) {
    let squares: Vec<u64> = pool.map(square::call, 0..200).collect::<Result<_, _>>().unwrap();
    assert_eq!(squares, (0..200).map(|x| x * x).collect::<Vec<u64>>());
}
