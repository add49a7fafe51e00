//! Pools of programs that end, and what pools leave behind.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spawnsafe_tests::{KillAll, KillOnDrop, eventually, is_running};

const POOLS: &str = env!("CARGO_BIN_EXE_pools");

/// Starts a program in the middle of its work and ends it, or all of its group, with this signal.
fn ends_with(signal: i32, whole_group: bool) {
    let command =
        Command::new(POOLS).arg("in-mid-map").stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let workers = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    assert_eq!(workers.0.len(), 3);
    assert!(workers.0.iter().all(|&id| is_running(id)));
    let id = parent.0.id() as i32;
    #[allow(unsafe_code)]
    // SAFETY: kill(2) has no preconditions. The process is a child of this one that was not reaped, and leads its group.
    unsafe {
        libc::kill(if whole_group { -id } else { id }, signal)
    };
    let start = Instant::now();
    let status = eventually("the parent ends", || parent.0.try_wait().unwrap());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal));
    eventually("the workers end with their parent", || workers.0.iter().all(|&id| !is_running(id)).then_some(()));
    // Generous, as other tests run: by itself it takes a millisecond.
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn nobody_is_left_when_the_parent_is_killed() {
    ends_with(libc::SIGKILL, false);
}

#[test]
fn nobody_is_left_when_the_parent_is_terminated() {
    ends_with(libc::SIGTERM, false);
}

/// As a terminal does it: to all processes in the foreground.
#[test]
fn nobody_is_left_after_one_ctrl_c() {
    ends_with(libc::SIGINT, true);
}

fn passes(arguments: &[&str]) {
    let output = Command::new(POOLS).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    println!("{}", text(&output.stdout));
}

#[test]
fn a_thousand_pools_leave_nothing_behind() {
    passes(&["many-pools", "1000"]);
}

#[test]
fn the_memory_of_the_parent_does_not_grow() {
    passes(&["many-tasks", "200000"]);
}
