//! A parent's side, event by event, without processes.

use super::running::{Answer, Running};
use crate::error::{Error, ErrorKind, ExitStatus, Panic};
use crate::launch::mock::{Event, Mock};
use crate::link::{self, Outbox};
use crate::sys::Ended;
use crate::wire::{Kind, Packed};

fn bytes_of(mut outbox: Outbox) -> Vec<u8> {
    let mut bytes = Vec::new();
    outbox
        .pump(|pieces, _| {
            bytes.extend_from_slice(&pieces[0]);
            Ok(pieces[0].len())
        })
        .unwrap();
    bytes
}

fn value() -> Vec<u8> {
    bytes_of(Outbox::new(
        Kind::Value,
        &[],
        Packed { items: vec![0x07], blobs: vec![vec![1_u8, 2, 3].into()], ..Packed::default() },
    ))
}

fn error_frame(kind: Kind, error: &Error) -> Vec<u8> {
    let mut packer = link::packer();
    packer.value(error).unwrap();
    bytes_of(Outbox::new(kind, &[], packer.finish()))
}

fn exited(code: i32) -> Event {
    Event::End(Ended::With(ExitStatus::from_code(code)))
}

fn running(script: Vec<Event>) -> Running {
    Running::new("entry", Mock::scripted(script, 0).0, Outbox::default(), false, None)
}

fn join(script: Vec<Event>) -> Answer {
    running(script).settle(None).unwrap()
}

fn kind_of(answer: Answer) -> ErrorKind {
    answer.unwrap_err().kind()
}

#[test]
fn an_answer_in_single_bytes() {
    let mut script = Vec::new();
    for byte in value() {
        script.extend([Event::Bytes(vec![byte]), Event::Pause]);
    }
    script.push(exited(0));
    let frame = join(script).unwrap();
    assert_eq!((frame.items, frame.blobs), (vec![0x07], vec![vec![1, 2, 3]]));
}

#[test]
fn the_answer_counts_whatever_the_process_does_then() {
    for end in [exited(0), exited(9), Event::End(Ended::Unknown)] {
        assert!(join(vec![Event::Bytes(value()), Event::Close, end]).is_ok());
    }
}

#[test]
fn an_answer_that_is_read_only_after_the_process_has_ended() {
    assert!(join(vec![exited(0), Event::Bytes(value())]).is_ok());
}

#[test]
fn a_process_that_ends_while_its_connection_stays_open() {
    let error = join(vec![Event::Pause, exited(3)]).unwrap_err();
    assert_eq!((error.kind(), error.exit_status().unwrap().code()), (ErrorKind::Exited, Some(3)));
}

#[test]
fn a_connection_that_closes_while_the_process_runs_on() {
    let error = join(vec![Event::Close, Event::Pause, exited(3)]).unwrap_err();
    assert_eq!((error.kind(), error.exit_status().unwrap().code()), (ErrorKind::Exited, Some(3)));
}

#[test]
fn an_end_that_nobody_knows() {
    assert_eq!(kind_of(join(vec![Event::Close, Event::End(Ended::Unknown)])), ErrorKind::Closed);
}

#[test]
fn last_words_count_if_nothing_follows() {
    let panic = Panic { message: "boom".into(), location: None, thread: None, backtrace: None };
    let words = error_frame(Kind::LastWords, &Error::new(ErrorKind::Panicked, "panicked: boom").with_panic(panic));
    let killed = || Event::End(Ended::With(ExitStatus::from_signal(6, false)));
    let error = join(vec![Event::Bytes(words.clone()), killed()]).unwrap_err();
    assert_eq!(error.panic().unwrap().message(), "boom");
    assert_eq!(error.exit_status().unwrap().signal(), Some(6));
    assert!(join(vec![Event::Bytes(words), Event::Bytes(value()), exited(0)]).is_ok());
}

#[test]
fn a_failure_names_the_entry() {
    let failure = error_frame(Kind::Failure, &Error::new(ErrorKind::Decode, "text"));
    let error = join(vec![Event::Bytes(failure), exited(70)]).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Decode, Some("entry")));
}

#[test]
fn a_failure_that_cannot_be_read() {
    let failure =
        bytes_of(Outbox::new(Kind::Failure, &[], Packed { items: vec![0xff], blobs: vec![], ..Packed::default() }));
    assert_eq!(kind_of(join(vec![Event::Bytes(failure), exited(70)])), ErrorKind::Protocol);
}

#[test]
fn garbage_has_the_process_killed_and_reaped() {
    let call = bytes_of(Outbox::new(Kind::Call, &[], Packed::default()));
    for bytes in [b"0123456789abcdef".to_vec(), call] {
        let (peer, log) = Mock::scripted([Event::Bytes(bytes)], 0);
        let mut running = Running::new("entry", peer, Outbox::default(), false, None);
        assert_eq!(kind_of(running.settle(None).unwrap()), ErrorKind::Protocol);
        let log = log.lock().unwrap();
        assert!(log.killed && log.reaped);
    }
}

#[test]
fn arguments_that_nobody_reads_do_not_hold_up_the_answer() {
    let outbox = Outbox::new(Kind::Call, &[1; 100], Packed::default());
    let failure = error_frame(Kind::Failure, &Error::new(ErrorKind::BuildMismatch, "text"));
    let (peer, log) = Mock::scripted([Event::Pause, Event::Bytes(failure), exited(70)], 30);
    let mut running = Running::new("entry", peer, outbox, false, None);
    running.send();
    assert_eq!(log.lock().unwrap().written.len(), 30);
    assert_eq!(kind_of(running.settle(None).unwrap()), ErrorKind::BuildMismatch);
}

#[test]
fn a_child_that_dies_while_arguments_are_sent_says_so_when_it_is_joined() {
    let outbox = Outbox::new(Kind::Call, &[1; 100], Packed::default());
    let (peer, _) = Mock::scripted([Event::Pause, exited(9)], 30);
    let mut running = Running::new("entry", peer, outbox, false, None);
    running.send();
    let error = running.settle(None).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.exit_status().unwrap().code()), (ErrorKind::Exited, Some(9)));
}

#[test]
fn a_dropped_child_is_killed_and_reaped() {
    let (peer, log) = Mock::scripted([], 0);
    drop(Running::new("entry", peer, Outbox::default(), false, None));
    let log = log.lock().unwrap();
    assert!(log.killed && log.reaped);
}

#[test]
fn a_joined_child_is_not_killed() {
    let (peer, log) = Mock::scripted([Event::Bytes(value()), exited(0)], 0);
    let mut running = Running::new("entry", peer, Outbox::default(), false, None);
    assert!(running.settle(None).unwrap().is_ok());
    assert_eq!(kind_of(running.settle(None).unwrap()), ErrorKind::Closed);
    drop(running);
    assert!(!log.lock().unwrap().killed);
}

#[test]
fn what_is_not_ready_is_not_waited_for() {
    let (peer, log) = Mock::scripted([Event::Pause, Event::Bytes(value()), exited(0)], 0);
    let mut running = Running::new("entry", peer, Outbox::default(), false, None);
    assert!(running.advance().is_none());
    assert!(running.settle(Some(std::time::Instant::now())).is_none());
    assert_eq!(log.lock().unwrap().waits, 0);
    assert!(running.settle(None).unwrap().is_ok());
}
