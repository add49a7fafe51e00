//! As `handles`, on Windows: whoever opens a file for itself alone is refused as long as it is open in any process.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;

use spawnsafe::{ErrorKind, Handle, Pool, SharedSlice, Stdio, child_entry};
use spawnsafe_tests::{eventually, open_descriptors, rest_of};

use super::files::{give_back, never, write_through, write_to};

fn exclusive(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).share_mode(0).open(path)
}

#[test]
fn a_handle_that_is_given_up_is_open_in_the_child_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write_to::run(Handle::new(exclusive(&path).unwrap()), "hello").unwrap();
    assert_eq!(rest_of(exclusive(&path).unwrap()), "hello");
}

#[test]
fn a_handle_that_is_lent_stays_open_here() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let file = Handle::new(exclusive(&path).unwrap());
    write_through::run(&file, "one ").unwrap();
    write_through::run(&file, "two").unwrap();
    exclusive(&path).unwrap_err();
    drop(file);
    assert_eq!(rest_of(exclusive(&path).unwrap()), "one two");
}

#[child_entry]
fn make_file(path: &Path, text: &str) -> Handle<File> {
    let mut file = exclusive(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.into()
}

#[test]
fn a_result_is_open_here() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut file = make_file::run(&path, "made there").unwrap().into_inner();
    exclusive(&path).unwrap_err();
    file.rewind().unwrap();
    assert_eq!(rest_of(file), "made there");
    exclusive(&path).unwrap();
}

#[test]
fn some_hundred_handles_travel_there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let file = exclusive(&path).unwrap();
    for count in [253, 254, 600] {
        let handles = (0..count).map(|_| file.try_clone().unwrap().into()).collect();
        assert_eq!(give_back::run(handles).unwrap().len(), count);
    }
    drop(file);
    exclusive(&path).unwrap();
}

#[test]
fn what_goes_wrong_leaves_nothing_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    drop(write_to::call(Handle::new(exclusive(&path).unwrap()), ""));
    let error = write_to::call(Handle::new(exclusive(&path).unwrap()), "").env("a=b", "").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    let error = never::call(Handle::new(exclusive(&path).unwrap())).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited);
    exclusive(&path).unwrap();
}

#[child_entry]
fn writes_and_counts(mut file: Handle<File>, text: &str) -> (Handle<File>, usize) {
    file.write_all(text.as_bytes()).unwrap();
    (file, open_descriptors().len())
}

#[test]
fn a_worker_gets_them_while_it_runs_and_keeps_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let pool = Pool::builder().workers(1).build().unwrap();
    let mut counts = Vec::new();
    for round in 0..20 {
        let file = Handle::new(exclusive(&path).unwrap());
        let (mut file, open) = pool.submit(writes_and_counts::call(file, "x")).unwrap().join().unwrap();
        file.rewind().unwrap();
        assert_eq!(rest_of(file.into_inner()), "x", "round {round}");
        // The worker's handle is closed in its own time.
        eventually("nobody has it open", || std::fs::remove_file(&path).ok());
        counts.push(open);
    }
    assert_eq!(counts[5], counts[19], "{counts:?}");
}

#[child_entry]
fn doubled(numbers: SharedSlice<u32>) -> SharedSlice<u32> {
    let doubled: Vec<u32> = numbers.iter().map(|number| number * 2).collect();
    SharedSlice::try_from(&doubled[..]).unwrap()
}

#[test]
fn shared_lists_travel_both_ways() {
    let numbers: Vec<u32> = (0..100_000).collect();
    let numbers = SharedSlice::try_from(&numbers[..]).unwrap();
    let there = doubled::run(numbers.slice(50_000..)).unwrap();
    assert!(there.iter().zip(50_000..).all(|(&number, half)| number == half * 2) && there.len() == 50_000);
}
