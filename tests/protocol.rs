//! A child whose parent is this test, byte by byte: what is no call is refused, at once and in words.
//!
//! The frames here are written out by hand, so that the format cannot change unnoticed.

use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};

use spawnsafe_tests::KillOnDrop;

const SCENARIOS: &str = env!("CARGO_BIN_EXE_scenarios");

/// Starts the program as a child of this process, sends it these bytes, closes the connection for writing (where no
/// answer is to come: on Windows that closes it for reading as well) and returns what the program sent back and how it
/// ended.
fn child_that_gets(bytes: &[u8], is_answered: bool) -> (Vec<u8>, Output) {
    let (mut ours, place, theirs) = system::connection();
    let mut child = KillOnDrop(
        Command::new(SCENARIOS)
            .arg("spawn")
            .env("SPAWNSAFE_CHILD", place)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    drop(theirs);
    // A program that has refused the start of a long message does not read the rest.
    let _ = ours.write_all(bytes);
    let answer = system::answer(ours, is_answered);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.0.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    let status = child.0.wait().unwrap();
    (answer, Output { status, stdout, stderr })
}

/// A connection, made by hand.
#[cfg(unix)]
mod system {
    use std::io::Read as _;
    use std::os::fd::{AsRawFd as _, OwnedFd};
    use std::os::unix::net::UnixStream;

    /// This process's end, what tells the child of its own, and what is to be closed when the child has it. Another
    /// child that is started meanwhile may get it as well, which delays nothing: this end is shut down, not only closed.
    pub(super) fn connection() -> (UnixStream, String, [OwnedFd; 3]) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (lifeline, held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let copies = [rustix::io::dup(&theirs).unwrap(), rustix::io::dup(&lifeline).unwrap()];
        let place = format!("main;{};{}", copies[0].as_raw_fd(), copies[1].as_raw_fd());
        // The child is not to die by that.
        std::mem::forget(held);
        let [connection, lifeline] = copies;
        (ours, place, [connection, lifeline, theirs.into()])
    }

    pub(super) fn answer(mut ours: UnixStream, _: bool) -> Vec<u8> {
        let _ = ours.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        // Ends with the child, or where it is killed with bytes unread.
        let _ = ours.read_to_end(&mut answer);
        answer
    }
}

/// A connection, made by hand.
#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::windows::io::AsRawHandle as _;

    /// This process's end, what tells the child of its own, and what is to be closed when the child has it. Another
    /// child that is started meanwhile may get it as well, which delays nothing here.
    pub(super) fn connection() -> (File, String, File) {
        let (ours, theirs) = spawnsafe_tests::connection_for_child();
        let place = format!("main;{}", theirs.as_raw_handle() as usize);
        (ours, place, theirs)
    }

    pub(super) fn answer(mut ours: File, is_answered: bool) -> Vec<u8> {
        let mut head = [0; 16];
        if !is_answered || ours.read_exact(&mut head).is_err() {
            return Vec::new();
        }
        // A frame without blobs, and no more: its end might not come while another test's child has the other end.
        let mut answer = vec![0; u64::from_le_bytes(head[8..].try_into().unwrap()) as usize];
        ours.read_exact(&mut answer).unwrap();
        [&head[..], &answer].concat()
    }
}

fn frame(kind: u8, items: &[u8]) -> Vec<u8> {
    let mut bytes = b"spw\x01".to_vec();
    bytes.extend_from_slice(&[kind, 0, 0, 0]);
    bytes.extend_from_slice(&(items.len() as u64).to_le_bytes());
    bytes.extend_from_slice(items);
    bytes
}

fn call_head(build: u64, name: &str) -> Vec<u8> {
    let mut bytes = build.to_le_bytes().to_vec();
    for number in [0_u32, 1, 1] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for field in [name, "process name", ""] {
        bytes.extend_from_slice(&(field.len() as u64).to_le_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    bytes.push(0);
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], what: &str) {
    let (answer, output) = child_that_gets(bytes, false);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(what), "{stderr}");
    assert_eq!((answer, output.stdout), (vec![], vec![]));
}

#[test]
fn a_parent_that_says_nothing_is_gone() {
    let (answer, output) = child_that_gets(b"", false);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((answer, output.stdout, output.stderr), (vec![], vec![], vec![]));
}

#[test]
fn what_is_no_frame() {
    refused(b"GET / HTTP/1.1\r\n\r\n", "no frame of spawnsafe");
    refused(&[0; 4096], "no frame of spawnsafe");
    refused(b"spw\x63\x01\0\0\0\0\0\0\0\0\0\0\0", "version 99");
    refused(b"spw\x01\x63\0\0\0\0\0\0\0\0\0\0\0", "unknown kind 99");
}

#[test]
fn what_is_no_call() {
    refused(&frame(2, b"\x01"), "no call");
    refused(&frame(3, b""), "no call");
}

#[test]
fn what_is_cut_off() {
    let whole = frame(1, &call_head(0, "name"));
    for len in [1, 15, 16, 17, whole.len() - 1] {
        refused(&whole[..len], "no call");
    }
}

#[test]
fn what_is_too_long() {
    let mut bytes = frame(1, b"");
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    refused(&bytes, "limit");
    // As long as is allowed, and nothing comes: no memory is taken for it, or this would not fit.
    let longest: u64 = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };
    bytes[8..16].copy_from_slice(&longest.to_le_bytes());
    refused(&bytes, "no call");
    // A blob of that length.
    let mut bytes = frame(1, b"");
    bytes[6] = 1;
    bytes.extend_from_slice(&u64::MAX.to_le_bytes());
    refused(&bytes, "limit");
}

/// The answer is a frame with an encoded error, in which its texts are readable.
#[track_caller]
fn answers_with_failure(bytes: &[u8], what: &str) {
    let (answer, output) = child_that_gets(bytes, true);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{stderr}");
    assert_eq!(&answer[..5], b"spw\x01\x03");
    assert_eq!(u64::from_le_bytes(answer[8..16].try_into().unwrap()), answer.len() as u64 - 16);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains(what), "{text}");
}

#[test]
fn a_call_from_another_build() {
    answers_with_failure(&frame(1, &call_head(1, "scenarios::adds")), "BuildMismatch");
}

#[test]
fn a_call_whose_head_is_damaged() {
    answers_with_failure(&frame(1, b"short"), "Protocol");
    let mut head = call_head(1, "name");
    // The length of the name.
    head[20..28].copy_from_slice(&u64::MAX.to_le_bytes());
    answers_with_failure(&frame(1, &head), "Protocol");
}

/// The build and the entry are looked at before the values of statics, whatever those are.
#[test]
fn statics_of_another_build() {
    let mut call = call_head(1, "scenarios::adds");
    call.extend_from_slice(&u32::MAX.to_le_bytes());
    answers_with_failure(&frame(1, &call), "BuildMismatch");
}

/// A child that is started before it is needed: it says that it is awake, and expects its streams and a call.
#[cfg(target_os = "linux")]
#[test]
fn a_child_that_is_to_wait() {
    for (then, answer) in [(&b""[..], &b""[..]), (b"A", b"R"), (b"AA", b"RR"), (b"Ax", b"R"), (b"S", b"")] {
        let mut bytes = frame(10, b"waiting");
        bytes.extend_from_slice(then);
        let (answered, output) = child_that_gets(&bytes, true);
        let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        assert_eq!((answered.as_slice(), output.status.code()), (answer, Some(1)), "{then:?}: {stderr}");
        assert_eq!((stdout, stderr.as_ref()), (vec![], ""), "{then:?}");
    }
}
