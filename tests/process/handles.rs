//! What is open in one process and passed to another: there it is open as well, and nowhere for longer than it must be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};
use spawnsafe::{ErrorKind, Handle, SpawnSafe, child_entry};
use spawnsafe_tests::rest_of;

use super::files::{give_back, never, write_through, write_to};

/// A pipe, as files: the end to read from and the one to write to.
fn pipe() -> (File, File) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (read.into(), write.into())
}

/// Its end would not be seen if this process still had the other one.
#[test]
fn a_handle_that_is_given_up_is_open_in_the_child_only() {
    let (read, write) = pipe();
    let child = write_to::spawn(Handle::new(write), "hello").unwrap();
    assert_eq!(rest_of(read), "hello");
    child.join().unwrap();
}

#[test]
fn a_handle_that_is_lent_stays_open_here() {
    let (read, write) = pipe();
    let write = Handle::new(write);
    write_through::run(&write, "one ").unwrap();
    write_through::run(&write, "two").unwrap();
    drop(write);
    assert_eq!(rest_of(read), "one two");
}

#[child_entry]
fn make_file(text: &str) -> Handle<File> {
    let mut file = tempfile();
    file.write_all(text.as_bytes()).unwrap();
    Handle::new(file)
}

fn tempfile() -> File {
    named("test")
}

/// A file that only those who have it open can find, and `/proc`.
fn named(name: &str) -> File {
    rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC).unwrap().into()
}

#[test]
fn a_result_is_open_here() {
    let mut file = make_file::run("made there").unwrap().into_inner();
    file.rewind().unwrap();
    assert_eq!(rest_of(file), "made there");
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Plumbing {
    name: String,
    all: Vec<Handle<UnixStream>>,
    by_name: BTreeMap<String, Option<Handle<OwnedFd>>>,
    #[serde(flatten)]
    choice: Choice,
}

#[derive(Serialize, Deserialize, SpawnSafe)]
#[serde(tag = "type")]
enum Choice {
    Both { input: Handle<File>, output: Handle<File> },
    Neither,
}

#[child_entry]
fn plumb(mut plumbing: Plumbing) -> Plumbing {
    for stream in &mut plumbing.all {
        writeln!(stream, "{}", plumbing.name).unwrap();
    }
    if let Choice::Both { input, output } = &mut plumbing.choice {
        std::io::copy(&mut **input, &mut **output).unwrap();
    }
    plumbing
}

#[test]
fn handles_travel_inside_of_types() {
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..3).map(|_| UnixStream::pair().unwrap()).unzip();
    let (input, mut to_input) = pipe();
    let (from_output, output) = pipe();
    to_input.write_all(b"copied").unwrap();
    drop(to_input);
    let plumbing = Plumbing {
        name: "x".into(),
        all: theirs.into_iter().map(Handle::new).collect(),
        by_name: [("none".to_owned(), None), ("one".to_owned(), Some(Handle::new(tempfile().into())))].into(),
        choice: Choice::Both { input: input.into(), output: output.into() },
    };
    let back = plumb::run(plumbing).unwrap();
    assert_eq!(back.by_name.values().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    assert!(matches!(back.choice, Choice::Both { .. }));
    drop(back);
    assert_eq!(rest_of(from_output), "copied");
    assert!(ours.into_iter().map(rest_of).all(|line| line == "x\n"));
}

#[test]
fn some_hundred_handles_travel_there_and_back() {
    // More than one message of the system can carry.
    let file = tempfile();
    let handles = (0..260).map(|_| file.try_clone().unwrap().into()).collect();
    assert_eq!(give_back::run(handles).unwrap().len(), 260);
}

#[test]
fn a_call_that_is_dropped_closes_what_it_was_given() {
    let (read, write) = pipe();
    let call = write_to::call(Handle::new(write), "");
    drop(call);
    assert_eq!(rest_of(read), "");
}

#[test]
fn a_call_that_does_not_start_closes_what_it_was_given() {
    let (read, write) = pipe();
    let error = write_to::call(Handle::new(write), "").env("a=b", "").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    assert_eq!(rest_of(read), "");
}

#[test]
fn a_child_that_ends_closes_what_it_was_given() {
    let (read, write) = pipe();
    assert_eq!(never::run(Handle::new(write)).unwrap_err().kind(), ErrorKind::Exited);
    assert_eq!(rest_of(read), "");
}

#[child_entry]
fn make_named(name: &str) -> Handle<File> {
    named(name).into()
}

#[child_entry]
fn ignores(_: Handle<File>) -> bool {
    // What the pattern ignores is dropped at the end of the entry: it is open now.
    true
}

#[test]
fn nothing_is_left_open() {
    for _ in 0..10 {
        let (read, write) = pipe();
        assert!(ignores::run(Handle::new(write)).unwrap());
        assert_eq!(rest_of(read), "");
        ignores::run(Handle::new(named("left_open_here"))).unwrap();
        drop(make_named::run("left_open_there").unwrap());
    }
    let open = spawnsafe_tests::open_descriptors();
    assert!(!open.values().any(|name| name.contains("left_open")), "{open:?}");
}
