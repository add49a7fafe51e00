//! What can be done with a `Child`.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use spawnsafe::{ErrorKind, Stdio, child_entry};
use spawnsafe_tests::{eventually, is_gone, is_kill, is_running};

/// Waits for its input to end, and returns it: a child that ends when it is told to.
#[child_entry]
fn echoes() -> String {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    text
}

pub(super) fn echoing() -> spawnsafe::Child<String> {
    echoes::call().stdin(Stdio::piped()).spawn().unwrap()
}

#[test]
fn join_closes_the_input() {
    let mut child = echoing();
    child.stdin.as_mut().unwrap().write_all(b"hello").unwrap();
    assert_eq!(child.join().unwrap(), "hello");
}

#[test]
fn try_join_and_join_timeout_do_not_wait() {
    let mut child = echoing();
    assert_eq!(child.try_join().unwrap(), None);
    let start = Instant::now();
    assert_eq!(child.join_timeout(Duration::from_millis(20)).unwrap(), None);
    assert!(start.elapsed() >= Duration::from_millis(20));
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    assert_eq!(child.join_timeout(Duration::MAX).unwrap().as_deref(), Some("x"));
    assert!(is_gone(child.id()), "it is reaped");
    assert_eq!(child.try_join().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(child.join_timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(child.join().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn try_join_gives_the_value_when_it_is_there() {
    let mut child = echoing();
    drop(child.stdin.take());
    let value = eventually("the child answers", || child.try_join().unwrap());
    assert_eq!(value, "");
}

#[test]
fn after_join_the_process_is_gone() {
    let child = echoing();
    let id = child.id();
    child.join().unwrap();
    assert!(is_gone(id));
}

#[test]
fn kill() {
    let mut child = echoing();
    child.kill().unwrap();
    child.kill().unwrap();
    let error = child.join_timeout(Duration::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(is_kill(error.exit_status().unwrap()), "{error}");
    child.kill().unwrap();
}

#[test]
fn kill_after_the_answer_keeps_the_answer() {
    let mut child = echoing();
    drop(child.stdin.take());
    let id = child.id();
    eventually("the child has ended", || (!is_running(id)).then_some(()));
    child.kill().unwrap();
    assert_eq!(child.join().unwrap(), "");
}

#[test]
fn drop_kills_and_reaps() {
    let child = echoing();
    let id = child.id();
    assert!(is_running(id));
    drop(child);
    assert!(is_gone(id));
}

#[test]
fn a_detached_child_runs_on_and_is_reaped() {
    let mut child = echoing();
    let (id, stdin) = (child.id(), child.stdin.take());
    child.detach().unwrap();
    assert!(is_running(id));
    drop(stdin);
    eventually("the child ends and is reaped", || is_gone(id).then_some(()));
}

#[test]
fn a_child_that_has_ended_can_be_detached() {
    let mut child = echoing();
    let id = child.id();
    drop(child.stdin.take());
    eventually("the child has ended", || (!is_running(id)).then_some(()));
    child.detach().unwrap();
    eventually("it is reaped", || is_gone(id).then_some(()));
}

#[child_entry]
fn makes(len: usize) -> Vec<u8> {
    vec![1; len]
}

#[test]
fn a_detached_child_with_a_long_result_ends() {
    let child = makes::spawn(64 << 20).unwrap();
    let id = child.id();
    child.detach().unwrap();
    eventually("the child ends and is reaped", || is_gone(id).then_some(()));
}

#[test]
fn try_join_of_a_long_result() {
    let mut child = makes::spawn(64 << 20).unwrap();
    let value = eventually("the child answers", || child.try_join().unwrap());
    assert_eq!(value.len(), 64 << 20);
}

#[test]
fn a_time_limit_holds_for_a_detached_child() {
    let mut child = echoes::call().stdin(Stdio::piped()).timeout(Duration::from_millis(50)).spawn().unwrap();
    let (id, _stdin) = (child.id(), child.stdin.take());
    child.detach().unwrap();
    eventually("the child is killed and reaped", || is_gone(id).then_some(()));
}

#[test]
fn a_child_can_be_joined_in_another_thread() {
    let child = echoing();
    let joined = std::thread::spawn(move || child.join().unwrap());
    assert_eq!(joined.join().unwrap(), "");
}

#[test]
fn a_child_outlives_the_thread_that_started_it() {
    let mut child = std::thread::spawn(echoing).join().unwrap();
    // Longer than any signal for the thread's end would take.
    assert_eq!(child.join_timeout(Duration::from_millis(100)).unwrap(), None);
    assert_eq!(child.join().unwrap(), "");
}

#[test]
fn debug_forms_name_the_entry() {
    let call = echoes::call().stdin(Stdio::null());
    assert!(format!("{call:?}").contains("echoes"));
    let child = call.spawn().unwrap();
    let text = format!("{child:?}");
    assert!(text.contains("echoes") && text.contains(&child.id().to_string()), "{text}");
}

fn assert_send<T: Send>() {}

#[test]
fn handles_are_send() {
    assert_send::<spawnsafe::Child<std::marker::PhantomData<*const u8>>>();
    assert_send::<spawnsafe::Call<u32>>();
    assert_send::<spawnsafe::Error>();
}
