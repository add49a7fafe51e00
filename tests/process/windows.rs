//! What only Windows has: exceptions, handles, variables whatever their case, the console.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio as StdStdio};
use std::time::Duration;

use spawnsafe::{ErrorKind, Stdio, child_entry};
use spawnsafe_tests::{connection, connection_for_child, is_running, is_wine, open_descriptors};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE_FLAG_INHERIT, SetHandleInformation};

use super::ends::{exits, kind_of};

#[child_entry]
fn writes_to_nowhere(address: usize) {
    // SAFETY: none: the access violation is what this is about.
    unsafe { std::hint::black_box(std::ptr::without_provenance_mut::<u8>(address)).write_volatile(1) };
}

#[child_entry]
fn raises_exception(status: u32) {
    use windows_sys::Win32::System::Diagnostics::Debug::RaiseException;

    // SAFETY: the call has no preconditions; that it ends this process is the point.
    unsafe { RaiseException(status, 0, 0, std::ptr::null()) };
}

#[test]
fn an_exception() {
    let error = writes_to_nowhere::call(8).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signaled, "{error}");
    assert_eq!(error.exit_status().unwrap().exception(), Some(0xC000_0005));
    assert!(error.to_string().contains("0xC0000005 (access violation)"), "{error}");
    for status in [0xC000_0094, 0xC000_001D, 0xC123_4567] {
        let error = raises_exception::call(status).stderr(Stdio::null()).run().unwrap_err();
        assert_eq!(error.exit_status().unwrap().exception(), Some(status), "{error}");
    }
}

/// They have 32 bits here, and what looks like the status of an exception is told from the rest by its first bits.
#[test]
fn exit_codes_beyond_those_of_other_systems() {
    for code in [256, 259, i32::MAX, -1, i32::MIN] {
        let error = exits::run(code).unwrap_err();
        assert_eq!((error.kind(), error.exit_status().unwrap().code()), (ErrorKind::Exited, Some(code)));
    }
}

#[child_entry]
fn overflows_the_stack(depth: u64) -> u64 {
    spawnsafe_tests::overflow_the_stack(depth)
}

/// Wine 8 ends the thread that overflows its stack, and with the main thread the process, whose exit code is then 0.
#[test]
fn a_stack_overflow() {
    let error = overflows_the_stack::call(0).stderr(Stdio::null()).run().unwrap_err();
    match is_wine() {
        false => assert_eq!(error.exit_status().unwrap().exception(), Some(0xC000_00FD), "{error}"),
        true => assert_eq!((error.kind(), error.exit_status().unwrap().code()), (ErrorKind::Exited, Some(0))),
    }
}

#[child_entry]
fn closes_its_connection() -> u32 {
    // SAFETY: nothing else in this process uses the handle any more; that the library does is the point.
    unsafe { CloseHandle(connection().as_raw_handle()) };
    7
}

#[test]
fn a_child_that_closes_its_connection() {
    let error = closes_its_connection::call().stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited, "{error}");
    assert!(error.to_string().contains("descriptors that are not its own"), "{error}");
}

#[child_entry]
fn puts_a_file_in_the_place_of_the_connection(path: &Path) -> u32 {
    let connection = connection();
    let number = connection.as_raw_handle();
    // SAFETY: as above.
    unsafe { CloseHandle(number) };
    // The system gives numbers out again.
    let mut files = Vec::new();
    for _ in 0..1000 {
        files.push(std::fs::File::create(path).unwrap());
        if files.last().unwrap().as_raw_handle() == number {
            std::mem::forget(files);
            return 7;
        }
    }
    std::process::exit(99)
}

#[test]
fn a_result_never_ends_up_in_a_file_of_the_entry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let error = puts_a_file_in_the_place_of_the_connection::call(&path).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.exit_status().unwrap().code(), Some(183), "{error}");
    assert_eq!(std::fs::read(path).unwrap(), b"");
}

#[child_entry]
#[allow(clippy::zombie_processes)]
fn leaves_a_grandchild(seconds: u32) -> u32 {
    // SAFETY: the handle is open.
    let done = unsafe { SetHandleInformation(connection().as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) };
    assert_ne!(done, 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    // Who runs the tests waits for those to close.
    command.stdin(StdStdio::null()).stdout(StdStdio::null()).stderr(StdStdio::null());
    // Not waited for: that it lives on is the point.
    let grandchild = command.args(["sleep", &seconds.to_string()]).spawn().unwrap();
    if seconds % 2 == 1 {
        std::process::exit(3);
    }
    grandchild.id()
}

/// Nor does the job of the child end it.
#[test]
fn a_grandchild_that_keeps_the_connection_open() {
    let mut grandchildren = spawnsafe_tests::KillAll::default();
    let id = leaves_a_grandchild::run(600).unwrap();
    grandchildren.0.push(id);
    assert!(is_running(id), "it outlives the child, so joining did not wait for it");
}

#[test]
fn a_grandchild_that_keeps_the_connection_open_when_the_child_has_no_answer() {
    // Its id cannot be told, so it ends by itself.
    assert_eq!(kind_of(leaves_a_grandchild::run(5)), ErrorKind::Exited);
}

#[child_entry]
fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

#[test]
fn a_variable_is_the_same_whatever_its_case() {
    let changed = environment::call().env("SpawnSafe_A", "1").env("SPAWNSAFE_a", "2").env("path", "3").run().unwrap();
    let values = |name: &str| -> Vec<&OsString> {
        let same = |key: &OsString| key.to_string_lossy().eq_ignore_ascii_case(name);
        changed.iter().filter(|(key, _)| same(key)).map(|(_, value)| value).collect()
    };
    assert_eq!(values("SPAWNSAFE_A"), ["2"]);
    assert_eq!(values("PATH"), ["3"]);
    let removed = environment::call().env_remove("pAtH").run().unwrap();
    assert!(removed.keys().all(|key| !key.eq_ignore_ascii_case("PATH")));
}

#[child_entry]
fn same(text: OsString) -> OsString {
    text
}

#[child_entry]
fn same_paths(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths
}

#[test]
fn strings_that_are_not_unicode() {
    let text = OsString::from_wide(&[0x61, 0xD800, 0x62]);
    assert_eq!(same::run(text.clone()).unwrap(), text);
    let paths = vec![PathBuf::from(text)];
    assert_eq!(same_paths::run(paths.clone()).unwrap(), paths);
}

#[child_entry]
fn directory() -> PathBuf {
    std::env::current_dir().unwrap()
}

#[test]
fn a_working_directory_in_many_alphabets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ä € 日本 𝄞");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(directory::call().current_dir(&path).run().unwrap(), path);
}

#[child_entry]
fn pipes() -> BTreeMap<u32, String> {
    let mut handles = open_descriptors();
    handles.retain(|_, name| !name.is_empty());
    handles
}

/// Whatever this process has open and lets others inherit, a child gets what is listed for it.
#[test]
fn a_child_has_no_pipe_but_its_own() {
    let (_ours, inheritable) = connection_for_child();
    let number = inheritable.as_raw_handle() as usize as u32;
    assert!(open_descriptors().contains_key(&number));
    let pipes = pipes::call().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).run().unwrap();
    let [name] = &pipes.values().collect::<Vec<_>>()[..] else { panic!("{pipes:?}") };
    assert!(name.contains("spawnsafe-connection.") && !name.contains("test"), "{name}");
}

/// The pipe of a child is at its end when the child is, although others run that were started meanwhile.
#[test]
fn children_of_other_threads_do_not_hold_a_childs_streams_open() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                for _ in 0..5 {
                    let mut child = sleeps::call(Duration::from_secs(600)).stdout(Stdio::piped()).spawn().unwrap();
                    let mut stdout = child.stdout.take().unwrap();
                    child.kill().unwrap();
                    stdout.read_to_end(&mut Vec::new()).unwrap();
                    drop(child);
                }
            })
        })
        .collect();
    let bystanders: Vec<_> = (0..8).map(|_| sleeps::spawn(Duration::from_secs(600)).unwrap()).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(bystanders.iter().all(|child| is_running(child.id())));
}

#[child_entry]
fn sleeps(time: Duration) {
    std::thread::sleep(time);
}

/// More than one call of the system can wait for.
#[test]
fn a_hundred_children_with_a_time_limit() {
    let start = || sleeps::call(Duration::from_secs(600)).timeout(Duration::from_secs(3)).spawn().unwrap();
    let children: Vec<_> = (0..100).map(|_| start()).collect();
    for child in children {
        assert_eq!(kind_of(child.join()), ErrorKind::TimedOut);
    }
}
