//! A test crate that defines no entry and calls those of the library under test: it needs one line.

spawnsafe::test_harness!();

use spawnsafe_tests::entries;

#[test]
fn an_entry_of_a_library() {
    assert_eq!(entries::adds::run(1, 2).unwrap(), 3);
}

#[test]
#[should_panic(expected = "too small")]
fn in_a_test_that_should_panic() {
    panic!("{}", entries::panics::call("too small").stderr(spawnsafe::Stdio::null()).run().unwrap_err());
}

#[test]
fn in_a_test_that_returns_a_result() -> Result<(), spawnsafe::Error> {
    entries::adds::run(1, 2).map(drop)
}

#[test]
fn from_threads_of_a_test() {
    let threads: Vec<_> = (0..4).map(|i| std::thread::spawn(move || entries::adds::run(i, i).unwrap())).collect();
    let sums: Vec<u32> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(sums, [0, 2, 4, 6]);
}

/// The child would otherwise run this test again, and all others.
#[test]
fn a_child_runs_no_test() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    entries::appends::run(&marks, "child").unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(&marks).unwrap(), "child\n");
}
