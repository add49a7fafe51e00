//! Every end of a child arrives as a value or as one kind of error that says what happened.

use std::io::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spawnsafe::{Error, ErrorKind, SpawnSafe, Stdio, child_entry};

#[track_caller]
pub(super) fn kind_of<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[child_entry]
fn returns(value: u32) -> u32 {
    value + 1
}

#[test]
fn a_value() {
    assert_eq!(returns::run(1).unwrap(), 2);
}

#[child_entry]
fn fails(text: &str) -> Result<u8, String> {
    text.parse().map_err(|error: std::num::ParseIntError| error.to_string())
}

#[test]
fn an_error_that_the_entry_returns_is_a_value() {
    assert_eq!(fails::run("7").unwrap(), Ok(7));
    assert_eq!(fails::run("x").unwrap(), Err("invalid digit found in string".into()));
}

#[child_entry]
fn panics(number: u32) -> u32 {
    assert!(number > 5, "{number} is too small");
    number
}

#[test]
fn a_panic_with_its_place() {
    let error = panics::call(3).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_eq!(error.entry(), Some(panics::NAME));
    let panic = error.panic().unwrap();
    assert_eq!(panic.message(), "3 is too small");
    assert_eq!(panic.file(), Some(file!()));
    assert!(panic.line().unwrap() > 0);
    assert_eq!(panic.thread(), Some("main"));
    assert_eq!(error.exit_status().unwrap().code(), Some(101));
    let text = error.to_string();
    assert!(text.contains("panics") && text.contains("3 is too small") && text.contains(file!()), "{text}");
}

#[test]
fn a_panic_with_a_backtrace_if_it_is_enabled() {
    let with = panics::call(3).stderr(Stdio::null()).env("RUST_BACKTRACE", "1").run().unwrap_err();
    let backtrace = with.panic().unwrap().backtrace().unwrap();
    assert!(backtrace.contains("panics"));
    assert!(!cfg!(target_os = "linux") || !backtrace.contains("child::boot"), "{backtrace}");
    assert!(format!("{with:?}").contains("backtrace of the child"));
    let full = panics::call(3).stderr(Stdio::null()).env("RUST_BACKTRACE", "full").run().unwrap_err();
    let full = full.panic().unwrap().backtrace().unwrap().to_owned();
    assert!(full.len() > backtrace.len(), "{full}");
    let without = panics::call(3).stderr(Stdio::null()).env("RUST_BACKTRACE", "0").run().unwrap_err();
    assert_eq!(without.panic().unwrap().backtrace(), None);
}

#[child_entry]
fn panics_with_a_number() {
    std::panic::panic_any(42);
}

#[test]
fn a_panic_without_a_text() {
    let error = panics_with_a_number::call().stderr(Stdio::null()).run().unwrap_err();
    let panic = error.panic().unwrap();
    assert_eq!(panic.message(), "Box<dyn Any>");
    assert_eq!(panic.file(), Some(file!()));
}

#[child_entry]
fn panics_after_another_panic() {
    let caught = std::panic::catch_unwind(|| panic!("caught")).unwrap_err();
    drop(caught);
    std::panic::resume_unwind(Box::new("raised again"));
}

#[test]
fn a_panic_that_the_hook_did_not_see_is_not_given_the_place_of_another() {
    let error = panics_after_another_panic::call().stderr(Stdio::null()).run().unwrap_err();
    let panic = error.panic().unwrap();
    assert_eq!((panic.message(), panic.file()), ("raised again", None));
}

#[child_entry]
fn panics_in_another_thread() -> bool {
    std::thread::spawn(|| panic!("elsewhere")).join().is_err()
}

#[test]
fn a_panic_of_another_thread_is_the_entrys_own_business() {
    assert!(panics_in_another_thread::call().stderr(Stdio::null()).run().unwrap());
}

#[child_entry]
fn replaces_the_hook() {
    std::panic::set_hook(Box::new(|_| {}));
    panic!("without our hook");
}

#[test]
fn a_panic_in_an_entry_that_has_its_own_hook() {
    let error = replaces_the_hook::run().unwrap_err();
    let panic = error.panic().unwrap();
    assert_eq!((panic.message(), panic.line()), ("without our hook", None));
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("second");
    }
}

#[child_entry]
fn panics_twice() {
    let _second = PanicsOnDrop;
    panic!("first");
}

#[test]
fn a_panic_that_aborts_the_process() {
    let error = panics_twice::call().stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    assert!(spawnsafe_tests::is_abort(error.exit_status().unwrap()), "{error}");
    assert!(error.panic().unwrap().message().contains("second"), "{error}");
}

/// A value whose encoding, or decoding, goes wrong as it says.
#[derive(Debug, PartialEq)]
enum Odd {
    FailsToEncode,
    PanicsToEncode,
    FailsToDecode,
    Fine,
}

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Odd::FailsToEncode => Err(serde::ser::Error::custom("this one cannot be encoded")),
            Odd::PanicsToEncode => panic!("in the middle of the encoding"),
            Odd::FailsToDecode => serializer.serialize_u8(1),
            Odd::Fine => serializer.serialize_u8(2),
        }
    }
}

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            2 => Ok(Odd::Fine),
            _ => Err(serde::de::Error::custom("this one cannot be decoded")),
        }
    }
}

impl SpawnSafe for Odd {}

#[child_entry]
fn returns_odd(which: u8) -> Odd {
    match which {
        0 => Odd::FailsToEncode,
        1 => Odd::PanicsToEncode,
        2 => Odd::FailsToDecode,
        _ => Odd::Fine,
    }
}

#[child_entry]
fn takes_odd(first: u8, odd: Odd) -> u8 {
    first + u8::from(odd == Odd::Fine)
}

#[test]
fn results_that_cannot_be_encoded_or_decoded() {
    let error = returns_odd::run(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("this one cannot be encoded"), "{error}");

    let error = returns_odd::call(1).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_eq!(error.panic().unwrap().message(), "in the middle of the encoding");

    let error = returns_odd::run(2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("this one cannot be decoded"), "{error}");

    assert_eq!(returns_odd::run(3).unwrap(), Odd::Fine);
}

#[test]
fn arguments_that_cannot_be_encoded_or_decoded() {
    let error = takes_odd::spawn(1, Odd::FailsToEncode).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    let text = error.to_string();
    assert!(text.contains("`odd`") && text.contains("cannot be encoded") && text.contains("takes_odd"), "{text}");

    let error = takes_odd::run(1, Odd::FailsToDecode).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let text = error.to_string();
    assert!(text.contains("`odd`") && text.contains("cannot be decoded"), "{text}");

    assert_eq!(takes_odd::run(1, Odd::Fine).unwrap(), 2);
}

#[child_entry]
pub(super) fn exits(code: i32) -> u32 {
    std::process::exit(code)
}

#[test]
fn an_exit_before_the_entry_returns() {
    for code in [0, 1, 101, 183, 255] {
        let error = exits::run(code).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exited);
        assert_eq!(error.exit_status().unwrap().code(), Some(code));
        assert!(error.to_string().contains(&format!("exit status {code}")), "{error}");
    }
}

#[child_entry]
fn aborts() {
    std::process::abort()
}

#[test]
fn an_abort() {
    let error = aborts::run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signaled, "{error}");
    assert!(spawnsafe_tests::is_abort(error.exit_status().unwrap()), "{error}");
}

#[child_entry]
fn sleeps(time: Duration) -> u32 {
    std::thread::sleep(time);
    7
}

#[test]
fn a_time_limit() {
    let error = sleeps::call(Duration::from_secs(600)).timeout(Duration::from_millis(50)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("50ms"), "{error}");
    assert_eq!(sleeps::call(Duration::ZERO).timeout(Duration::from_secs(600)).run().unwrap(), 7);
    assert_eq!(sleeps::call(Duration::ZERO).timeout(Duration::MAX).run().unwrap(), 7);
}

#[test]
fn a_time_limit_holds_although_nobody_waits() {
    let child = sleeps::call(Duration::from_secs(600)).timeout(Duration::from_millis(50)).spawn().unwrap();
    let id = child.id();
    spawnsafe_tests::eventually("the child is killed", || (!spawnsafe_tests::is_running(id)).then_some(()));
    assert_eq!(kind_of(child.join()), ErrorKind::TimedOut);
}

#[child_entry]
fn writes_to_the_connection(bytes: &[u8], then_sleeps: bool) -> u32 {
    spawnsafe_tests::connection().write_all(bytes).unwrap();
    if then_sleeps {
        std::thread::sleep(Duration::from_secs(600));
    }
    std::process::exit(0)
}

#[test]
fn garbage_on_the_connection() {
    // The child need not end for it to be noticed.
    for bytes in
        [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[0; 64], &[255; 16], b"spw\x01\x02\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        let error = writes_to_the_connection::run(bytes, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("writes_to_the_connection"), "{error}");
    }
}

#[test]
fn a_truncated_answer() {
    for bytes in
        [&b"spw"[..], b"spw\x01\x02\0\0\0\x05\0\0\0\0\0\0\0abc", b"spw\x01\x02\0\x01\0\0\0\0\0\0\0\0\0\x05\0\0"]
    {
        let error = writes_to_the_connection::run(bytes, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exited, "{error}");
        assert!(error.to_string().contains("while it was sending its result"), "{error}");
    }
}

#[test]
fn an_answer_that_is_another_value() {
    // A frame with a text, and one with too many values, where a number belongs.
    for bytes in [&b"spw\x01\x02\0\0\0\x02\0\0\0\0\0\0\0\x61a"[..], b"spw\x01\x02\0\0\0\x02\0\0\0\0\0\0\0\x01\x01"] {
        let error = writes_to_the_connection::run(bytes, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    }
}

#[child_entry]
fn ends_its_grandchild() -> Result<u32, Error> {
    exits::run(9)
}

#[test]
fn the_error_of_a_grandchild_travels() {
    let error = ends_its_grandchild::run().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited);
    assert_eq!(error.entry(), Some(exits::NAME));
    assert_eq!(error.exit_status().unwrap().code(), Some(9));
}

/// A payload whose destruction goes wrong as well.
#[child_entry]
fn panics_with_a_trap() {
    std::panic::panic_any(PanicsOnDrop);
}

#[test]
fn a_panic_whose_payload_panics_when_it_is_dropped() {
    let error = panics_with_a_trap::call().stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.panic().unwrap().message(), "Box<dyn Any>");
}

#[child_entry]
fn leaves_stdout_locked() -> u32 {
    let (locked, is_locked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _lock = std::io::stdout().lock();
        locked.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(600));
    });
    is_locked.recv().unwrap();
    5
}

#[test]
fn a_lock_that_another_thread_holds_does_not_hold_the_answer_back() {
    assert_eq!(leaves_stdout_locked::run().unwrap(), 5);
}

#[test]
fn a_limit_that_passes_after_the_child_has_ended_changes_nothing() {
    let mut limit = Duration::from_millis(100);
    loop {
        let start = std::time::Instant::now();
        let child = exits::call(3).timeout(limit).spawn().unwrap();
        let id = child.id();
        spawnsafe_tests::eventually("the child has ended", || (!spawnsafe_tests::is_running(id)).then_some(()));
        let took = start.elapsed();
        if took < limit {
            std::thread::sleep(limit - took + Duration::from_millis(50));
            return assert_eq!(kind_of(child.join()), ErrorKind::Exited);
        }
        // It may have been too slow, and killed.
        limit *= 2;
    }
}

#[test]
fn a_kill_after_the_child_has_ended_changes_nothing() {
    let mut child = exits::spawn(3).unwrap();
    let id = child.id();
    spawnsafe_tests::eventually("the child has ended", || (!spawnsafe_tests::is_running(id)).then_some(()));
    child.kill().unwrap();
    assert_eq!(kind_of(child.join()), ErrorKind::Exited);
}

/// Frames of last words, one after another: an answer that never comes, and a connection that is never empty.
#[child_entry]
fn talks_without_end(header: &[u8]) {
    let mut connection = spawnsafe_tests::connection();
    let many = header.repeat(4096);
    // Until the parent has had enough.
    while connection.write_all(&many).is_ok() {}
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_child_that_talks_without_end() {
    let error = talks_without_end::run(b"spw\x01\x04\0\0\0\0\0\0\0\0\0\0\0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[test]
fn a_time_limit_holds_while_a_child_sends() {
    // The header of the longest frame, and then whatever.
    let longest: u64 = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };
    let header = &[&b"spw\x01\x02\0\0\0"[..], &longest.to_le_bytes()].concat();
    let error = talks_without_end::call(header).timeout(Duration::from_millis(300)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
