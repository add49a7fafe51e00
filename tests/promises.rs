//! What the library promises of whole programs: each test runs one that does something to itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use spawnsafe_tests::{KillAll, KillOnDrop, eventually, is_running};

#[cfg(unix)]
#[path = "promises/posix.rs"]
mod posix;
#[cfg(target_os = "linux")]
#[path = "promises/spares.rs"]
mod spares;
#[cfg(windows)]
#[path = "promises/windows.rs"]
mod windows;

const SCENARIOS: &str = env!("CARGO_BIN_EXE_scenarios");
const NO_MAIN: &str = env!("CARGO_BIN_EXE_no_main");
const DUPLICATE: &str = env!("CARGO_BIN_EXE_duplicate");

fn scenario(program: impl AsRef<Path>, name: &str) -> Command {
    let mut command = Command::new(program.as_ref());
    command.arg(name).stdin(Stdio::null());
    command
}

/// Runs a program that checks itself.
#[track_caller]
fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_body_of_main_runs_in_the_root_process_only() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    passes(scenario(SCENARIOS, "all-kinds-of-ends").env("MARK_MAIN", &marks));
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "main ran\n");
}

#[test]
fn main_that_an_entry_calls_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    passes(scenario(SCENARIOS, "main-again").env("MARK_MAIN", &marks));
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "main ran\n");
}

#[test]
fn without_the_attribute_nothing_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    let printed = passes(Command::new(NO_MAIN).arg(&marks));
    assert_eq!(printed.lines().count(), 3);
    assert!(printed.lines().all(|line| line.starts_with("NoProcessMain: ")), "{printed}");
    assert!(printed.contains("#[spawnsafe::process_main]"), "{printed}");
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "ran\n");
}

#[test]
fn two_entries_of_one_name() {
    let printed = passes(&mut Command::new(DUPLICATE));
    let lines: Vec<_> = printed.lines().collect();
    for line in &lines[..2] {
        assert!(line.starts_with("DuplicateEntry: "), "{line}");
        let line = line.replace('\\', "/");
        assert!(line.contains("programs/duplicate.rs:4:") && line.contains("programs/duplicate.rs:11:"), "{line}");
    }
    assert_eq!(lines[2], "Ok(3)");
}

#[test]
fn no_descriptor_and_no_zombie_after_a_thousand_spawns_from_four_threads() {
    passes(&mut scenario(SCENARIOS, "leaks"));
}

#[test]
fn no_descriptor_and_no_zombie_after_failures() {
    passes(&mut scenario(SCENARIOS, "leaks-of-failures"));
}

/// Starts the scenario, reads the ids of its children and ends it.
fn end_parent(end: impl FnOnce(&mut std::process::Child)) {
    let command = scenario(SCENARIOS, "orphans").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let children = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    assert_eq!(children.0.len(), 3);
    // The thread that started them has ended, and they live.
    assert!(children.0.iter().all(|&id| is_running(id)));
    end(&mut parent.0);
    parent.0.wait().unwrap();
    let dead = Instant::now();
    eventually("the children end with their parent", || children.0.iter().all(|&id| !is_running(id)).then_some(()));
    println!("the children ended {:?} after their parent", dead.elapsed());
}

#[test]
fn children_end_when_their_parent_is_killed() {
    end_parent(|parent| parent.kill().unwrap());
}

#[test]
fn a_detached_child_outlives_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("go");
    let printed = passes(scenario(SCENARIOS, "detached").arg(&path));
    let child = KillAll(vec![printed.trim().parse().unwrap()]);
    // Children that die with their parent are gone within a millisecond.
    std::thread::sleep(Duration::from_millis(200));
    assert!(is_running(child.0[0]));
    std::fs::write(&path, "").unwrap();
    eventually("it ends when its entry returns", || (!is_running(child.0[0])).then_some(()));
}

/// What `run` has not waited for, the end of the program does.
#[test]
#[cfg_attr(windows, ignore = "`exit` runs no handlers of the C runtime there")]
fn exit_handlers_of_a_child_are_not_cut_off_by_the_end_of_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["returns-early", "exits-early"] {
        let mark = dir.path().join(name);
        passes(scenario(SCENARIOS, name).arg(&mark));
        assert_eq!(std::fs::read_to_string(mark).unwrap(), "done", "{name}");
    }
}

#[test]
fn arguments_and_environment_are_those_of_the_parent() {
    passes(scenario(SCENARIOS, "args-and-env").args(["--flag", "", "with space", "ä\"'\\"]).env("AN_ODD_ONE", "a=b\n"));
}

#[test]
fn children_of_children() {
    passes(&mut scenario(SCENARIOS, "nested"));
}

#[test]
fn a_hundred_megabytes_each_way() {
    passes(&mut scenario(SCENARIOS, "flood"));
}

#[test]
fn a_parent_without_standard_streams() {
    let status = scenario(SCENARIOS, "closed-streams").status().unwrap();
    assert_eq!(status.code(), Some(33));
}

/// Nonsense in the variable that makes a child.
#[test]
fn a_program_that_is_started_as_a_child_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    for value in
        ["", "1", "nonsense", "main", "main;", "main;3;4", "main;0;1", "main;1000;1001", "main;x;y", "before-main;9;9"]
    {
        let output =
            scenario(SCENARIOS, "spawn").env("SPAWNSAFE_CHILD", value).env("MARK_MAIN", &marks).output().unwrap();
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(64), "{value:?}: {stdout}{stderr}");
        assert!(stderr.contains("SPAWNSAFE_CHILD") && stderr.contains("remove it"), "{value:?}: {stderr}");
        assert_eq!(stdout, "");
        assert!(!marks.exists(), "{value:?}: main has run");
    }
}

/// Built apart, as `panic = "abort"` concerns a whole program.
#[test]
#[cfg_attr(windows, ignore = "cargo does not run under Wine; `.ci/run` builds the program and runs it")]
fn a_panic_in_a_program_that_aborts_on_panics() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aborting");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", "spawnsafe-tests", "--bin", "scenarios", "--target-dir"])
        .arg(&target)
        .args(["--config", "profile.dev.panic=\"abort\"", "--config", "profile.dev.debug=false"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let program = target.join("debug").join(format!("scenarios{}", std::env::consts::EXE_SUFFIX));
    passes(&mut scenario(&program, "aborting-panic"));
    passes(&mut scenario(&program, "aborting-race"));
}

#[test]
fn a_parent_that_ends_by_itself_leaves_nobody() {
    let command = scenario(SCENARIOS, "orphans").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let children = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    drop(parent.0.stdin.take());
    assert!(parent.0.wait().unwrap().success());
    // It has dropped them, and dropping kills and reaps.
    assert!(children.0.iter().all(|&id| !is_running(id)));
}
