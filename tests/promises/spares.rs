//! Promises of processes that wait for a call: nobody can tell them from others.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use spawnsafe_tests::{KillAll, KillOnDrop, START_METHOD_VARIABLE, eventually, is_running};

use super::{SCENARIOS, passes};

/// These processes are executed, whatever other tests are run with.
fn scenario(program: &str, name: &str) -> std::process::Command {
    let mut command = super::scenario(program, name);
    command.env_remove(START_METHOD_VARIABLE);
    command
}

#[test]
fn a_process_that_waits_is_taken_for_one_call() {
    passes(&mut scenario(SCENARIOS, "spares-are-taken"));
}

#[test]
fn a_process_that_has_waited_finds_what_a_new_one_would() {
    let dir = tempfile::tempdir().unwrap();
    passes(scenario(SCENARIOS, "spares-and-surroundings").arg(dir.path().canonicalize().unwrap()));
}

#[test]
fn a_process_that_has_waited_has_the_streams_of_the_call() {
    let file = tempfile::NamedTempFile::new().unwrap();
    passes(scenario(SCENARIOS, "spares-and-streams").arg(file.path()));
}

#[test]
fn a_process_that_dies_while_it_waits_is_nobodys_error() {
    passes(&mut scenario(SCENARIOS, "spares-that-die"));
}

#[test]
fn nothing_is_left_of_processes_that_have_waited() {
    passes(&mut scenario(SCENARIOS, "spares-leak-nothing"));
}

#[test]
fn processes_that_wait_end_with_their_parent() {
    let command = scenario(SCENARIOS, "spares-and-their-parent").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let spares = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    assert!(spares.0.len() == 2 && spares.0.iter().all(|&pid| is_running(pid)));
    parent.0.kill().unwrap();
    eventually("they end with their parent", || spares.0.iter().all(|&pid| !is_running(pid)).then_some(()));
}
