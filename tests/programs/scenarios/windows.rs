//! Scenarios with handles and the console.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use spawnsafe::{ErrorKind, ExitStatus, Stdio};
use spawnsafe_tests::{eventually, is_wine};
use windows_sys::Win32::System::Console::{
    AllocConsole, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent, STD_ERROR_HANDLE, STD_INPUT_HANDLE,
    STD_OUTPUT_HANDLE, SetConsoleCtrlHandler, SetStdHandle,
};

use super::{adds, floods, sleeps};

pub(super) fn run(name: &str, rest: &[String]) {
    match name {
        "closed-streams" => closed_streams(),
        "ctrl-c" => ctrl_c(),
        "renamed" => {
            assert_eq!(adds::run(1, 1).unwrap(), 2);
            rename(&rest[0], &rest[1]);
            match adds::run(1, 2) {
                // Wine 8 tells the name that the file had when it was opened.
                Err(error) if is_wine() => assert_eq!(error.kind(), ErrorKind::Spawn, "{error}"),
                sum => assert_eq!(sum.unwrap(), 3),
            }
        }
        "renamed-at-once" => {
            rename(&rest[0], &rest[1]);
            let error = adds::run(1, 2).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Spawn);
            println!("{error}");
        }
        name => panic!("there is no scenario {name}"),
    }
}

#[allow(unsafe_code)]
pub(super) fn at_exit(handler: extern "C" fn()) {
    unsafe extern "C" {
        /// Of the C runtime.
        fn atexit(handler: extern "C" fn()) -> i32;
    }
    // SAFETY: the function may be called when the process exits.
    assert_eq!(unsafe { atexit(handler) }, 0);
}

/// No process can be stopped here by a documented call.
pub(super) fn stop(_: u32) {}

/// Wine 8 ends only the thread that overflows.
pub(super) fn is_overflow(status: ExitStatus) {
    assert!(status.exception() == Some(0xC000_00FD) || is_wine(), "{status}");
}

/// The handles of processes have no names here: all are counted.
pub(super) fn is_watched(_: &str) -> bool {
    false
}

/// What any child has.
#[derive(Clone)]
pub(super) struct Expected;

impl Expected {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn check(&self, mut seen: BTreeMap<u32, String>) {
        seen.retain(|_, name| name.contains("spawnsafe-"));
        assert_eq!(seen.len(), 1, "a connection, no more: {seen:?}");
    }
}

/// A program without a console has no streams.
fn closed_streams() {
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: the call has no preconditions.
        unsafe { SetStdHandle(stream, std::ptr::null_mut()) };
    }
    assert_eq!(adds::run(1, 2).unwrap(), 3);
    let mut child = floods::call(1 << 16, vec![1]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = Vec::new();
    std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut printed).unwrap();
    assert_eq!(printed.len(), 1 << 16);
    assert_eq!(child.join().unwrap(), 1);
    std::process::exit(33);
}

/// Gives this program's file another name, and its own to another program.
fn rename(to: &str, other: &str) {
    let own = std::env::current_exe().unwrap();
    std::fs::rename(&own, to).unwrap();
    std::fs::copy(other, &own).unwrap();
}

static PRESSED: AtomicU32 = AtomicU32::new(0);

unsafe extern "system" fn pressed(_: u32) -> i32 {
    PRESSED.fetch_add(1, Ordering::SeqCst);
    1
}

/// Ctrl-C goes to every process of the console: to this one, which goes on, and to its child, which does not know better
/// than to end.
fn ctrl_c() {
    // The console that the tests run in, if any, gets no Ctrl-C.
    // SAFETY: the call has no preconditions.
    unsafe { FreeConsole() };
    // SAFETY: as above.
    let console = unsafe { AllocConsole() };
    // SAFETY: the function may be called on any thread.
    let handled = unsafe { SetConsoleCtrlHandler(Some(pressed), 1) };
    assert!(console != 0 && handled != 0);
    let mut child = sleeps::call().stdin(Stdio::null()).spawn().unwrap();
    // Until it has come to its entry, a child may miss it.
    assert_eq!(child.join_timeout(Duration::from_millis(500)).unwrap(), None);
    // SAFETY: the call has no preconditions.
    let sent = unsafe { GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) };
    assert_ne!(sent, 0, "{}", std::io::Error::last_os_error());
    eventually("this process hears of it", || (PRESSED.load(Ordering::SeqCst) > 0).then_some(()));
    let error = child.join().unwrap_err();
    if is_wine() {
        // Wine 8 ends such a process with the exit code 0.
        return assert_eq!(error.exit_status().unwrap().code(), Some(0), "{error}");
    }
    assert_eq!(error.kind(), ErrorKind::Signaled, "{error}");
    assert!(error.to_string().contains("Ctrl-C"), "{error}");
}
