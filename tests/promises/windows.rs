//! Promises about handles, consoles, and files that cannot change while they are run.

use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::process::{Command, Stdio};

use spawnsafe_tests::{connection_for_child, copy_program};

use super::{NO_MAIN, SCENARIOS, passes, scenario, texts};

#[test]
fn ctrl_c_ends_a_child_and_not_a_parent_that_handles_it() {
    passes(&mut scenario(SCENARIOS, "ctrl-c"));
}

/// The handle of a real connection, but another process's: a shell that was told to start the program as a child.
#[test]
fn a_program_that_is_given_a_strangers_connection() {
    let (_ours, theirs) = connection_for_child();
    let output = Command::new("cmd")
        .args(["/c", SCENARIOS.replace('/', "\\").as_str(), "spawn"])
        .env("SPAWNSAFE_CHILD", format!("main;{}", theirs.as_raw_handle() as usize))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(64), "{stdout}{stderr}");
    assert!(stderr.contains("parent"), "{stderr}");
}

/// As programs do that update themselves. What has taken the old name has another `main`, which must not run.
#[test]
fn a_program_that_was_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let program = copy_program(Path::new(SCENARIOS), dir.path());
    passes(scenario(program, "renamed").args([&dir.path().join("old.exe"), Path::new(NO_MAIN)]));
}

#[test]
fn a_program_that_was_renamed_before_it_knew_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let program = copy_program(Path::new(SCENARIOS), dir.path());
    let printed = passes(scenario(program, "renamed-at-once").args([&dir.path().join("old.exe"), Path::new(NO_MAIN)]));
    assert!(printed.contains("replaced by another one") && printed.contains("renamed"), "{printed}");
}

#[test]
fn a_path_and_arguments_in_many_alphabets() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("ä € 日本 𝄞");
    std::fs::create_dir(&dir).unwrap();
    let program = copy_program(Path::new(SCENARIOS), &dir);
    passes(scenario(program, "args-and-env").args(["日本", "a b\\", "\\\"", ""]).env("ÄÖ", "€ 𝄞"));
}
