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

/// Who has this memory: all processes that have it mapped or open.
#[cfg(target_os = "linux")]
fn holders(inode: &str) -> Vec<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let all = std::fs::read_dir("/proc").unwrap();
    let processes = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_holder = |&id: &u32| {
        let maps = std::fs::read_to_string(format!("/proc/{id}/maps")).unwrap_or_default();
        let is_memory = |line: &str| line.contains("memfd:spawnsafe-shared");
        let maps_it = maps.lines().any(|line| is_memory(line) && line.split_whitespace().nth(4) == Some(inode));
        let descriptors = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        let has_it_open = descriptors.map(|entry| entry.path()).any(|path| {
            let is_memory = std::fs::read_link(&path).is_ok_and(|to| is_memory(&to.display().to_string()));
            is_memory && std::fs::metadata(&path).is_ok_and(|file| file.ino().to_string() == inode)
        });
        maps_it || has_it_open
    };
    processes.filter(is_holder).collect()
}

/// With nobody who could still clean up.
#[test]
#[cfg(target_os = "linux")]
fn shared_memory_is_gone_after_everybody_was_killed() {
    let mut command = Command::new(POOLS);
    command.arg("shared-slice").stdin(Stdio::null()).stdout(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut parent = KillOnDrop(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let inode = words.next().unwrap().to_owned();
    let mut all: Vec<u32> = words.map(|id| id.parse().unwrap()).chain([parent.0.id()]).collect();
    all.sort_unstable();
    assert_eq!(all.len(), 4);
    eventually("all of them have it", || (holders(&inode) == all).then_some(()));
    let id = parent.0.id() as i32;
    #[allow(unsafe_code)]
    // SAFETY: kill(2) has no preconditions. The process is a child of this one that was not reaped, and leads its group.
    unsafe {
        libc::kill(-id, libc::SIGKILL)
    };
    eventually("the parent ends", || parent.0.try_wait().unwrap());
    eventually("nobody has it any more", || holders(&inode).is_empty().then_some(()));
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
