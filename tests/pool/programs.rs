//! Pools of programs that end, and what pools leave behind.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spawnsafe_tests::{KillAll, KillOnDrop, eventually, is_running};

const POOLS: &str = env!("CARGO_BIN_EXE_pools");

/// Starts a program in the middle of its work, and ends it so.
fn ends_by(end: impl FnOnce(&mut std::process::Child)) -> std::process::ExitStatus {
    let mut command = Command::new(POOLS);
    command.arg("in-mid-map").stdin(Stdio::null()).stdout(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut parent = KillOnDrop(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let workers = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    assert_eq!(workers.0.len(), 3);
    assert!(workers.0.iter().all(|&id| is_running(id)));
    end(&mut parent.0);
    let start = Instant::now();
    let status = eventually("the parent ends", || parent.0.try_wait().unwrap());
    eventually("the workers end with their parent", || workers.0.iter().all(|&id| !is_running(id)).then_some(()));
    // Generous, as other tests run: by itself it takes a millisecond.
    assert!(start.elapsed() < Duration::from_secs(20));
    status
}

#[test]
fn nobody_is_left_when_the_parent_is_killed() {
    let status = ends_by(|parent| parent.kill().unwrap());
    assert!(!status.success(), "{status}");
}

/// With this signal, for the parent alone or, as a terminal does it, for all processes in the foreground.
#[cfg(unix)]
fn ends_with(signal: i32, whole_group: bool) {
    let status = ends_by(|parent| {
        let id = parent.id() as i32;
        #[allow(unsafe_code)]
        // SAFETY: kill(2) has no preconditions. The process is a child of this one that was not reaped, and leads its
        // group.
        unsafe {
            libc::kill(if whole_group { -id } else { id }, signal)
        };
    });
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal));
}

#[cfg(unix)]
#[test]
fn nobody_is_left_when_the_parent_is_terminated() {
    ends_with(libc::SIGTERM, false);
}

#[cfg(unix)]
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
fn many_pools_leave_nothing_behind() {
    // Wine takes long to start a process.
    passes(&["many-pools", if cfg!(windows) { "100" } else { "1000" }]);
}

#[test]
fn the_memory_of_the_parent_does_not_grow() {
    passes(&["many-tasks", if cfg!(windows) { "50000" } else { "200000" }]);
}
