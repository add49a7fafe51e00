//! The moment at which a process learns that it is a child.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::IoSlice;
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};

use super::reply::complain;
use super::{invoke, worker, zygote};
use crate::link::{Frame, Inbox, Progress};
use crate::registry;
use crate::sys::{self, Adopted, Arrived, CHILD_VARIABLE};
use crate::wire::{ALERT, Kind, READY, TOKEN_BEFORE_MAIN};

/// The exit status of a process whose variable makes no sense: `EX_USAGE`.
const EXIT_NOT_A_CHILD: i32 = 64;

/// The exit status of a child whose parent is gone: nobody reads it.
pub(super) const EXIT_ABANDONED: i32 = 1;

/// The first statement of every `main` with `#[process_main]`. Returns in the root process only.
///
/// Where several `main`s run on threads of one program, as those of doc-tests may, one of them becomes the child, and the
/// others get no further.
///
/// # Panics
/// If the entry of a child calls `main`, which has been entered in its thread, and never runs there.
pub(crate) fn enter_main() {
    assert!(
        !IS_CHILD.get(),
        "an entry called `main`, which never runs in a child process: move what both need into a function of its own"
    );
    static ENTERING: Mutex<()> = Mutex::new(());
    let _entering = ENTERING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = std::env::var_os(CHILD_VARIABLE) {
        become_child(value);
    }
    registry::set_process_main();
}

// In a test binary `main` belongs to the harness, which would run tests in the child.
sys::before_main!(before_main);

fn before_main() {
    let Some(value) = std::env::var_os(CHILD_VARIABLE) else { return };
    if split(&value).is_some_and(|(token, _)| token == TOKEN_BEFORE_MAIN) {
        sys::prepare_before_main();
        become_child(value);
    }
}

thread_local! {
    /// Whether this thread is the one that runs what a child was started for.
    static IS_CHILD: Cell<bool> = const { Cell::new(false) };
}

fn become_child(value: OsString) -> ! {
    IS_CHILD.set(true);
    let (token, adopted) = adopt(&value).unwrap_or_else(|reason| {
        complain(format_args!(
            "the environment variable {CHILD_VARIABLE} is set to {value:?}, which makes this program a child \
             process, but {reason}.\nThe variable is for spawnsafe itself: remove it to run the program."
        ));
        exit(EXIT_NOT_A_CHILD)
    });
    forget_variable();
    if token != TOKEN_BEFORE_MAIN {
        registry::set_process_main();
    }
    let Some(adopted) = adopted else { exit(EXIT_ABANDONED) };
    begin(adopted)
}

fn begin(adopted: Adopted) -> ! {
    match receive(&adopted, &[Kind::Call, Kind::Worker, Kind::Zygote]) {
        // What returns from there is a copy of this process.
        Some(frame) if frame.kind == Kind::Zygote => begin(zygote::serve(&frame, adopted)),
        Some(frame) if frame.kind == Kind::Worker => worker::serve(frame, adopted),
        Some(call) => invoke::answer(call, Arc::new(adopted)),
        None => exit(EXIT_ABANDONED),
    }
}

/// The token, and the connection unless the parent has ended.
fn adopt(value: &OsStr) -> Result<(&str, Option<Adopted>), String> {
    if sys::has_raised_privileges() {
        return Err("it runs with raised privileges and does not take orders from its environment".into());
    }
    let (token, place) = split(value).ok_or("it is malformed")?;
    Ok((token, sys::adopt(place)?))
}

/// The token, and where the connection is.
fn split(value: &OsStr) -> Option<(&str, &OsStr)> {
    let (token, place) = value.to_str()?.split_once(';')?;
    matches!(token, crate::wire::TOKEN_MAIN | TOKEN_BEFORE_MAIN).then_some((token, OsStr::new(place)))
}

/// Children of this process must not see the variable, nor the user's code.
#[allow(unsafe_code)]
fn forget_variable() {
    // SAFETY: no other thread may read or write the environment meanwhile. This runs as the first thing in `main`, or
    // before it, in a process that was started as a child: none of the program's code that starts threads has run,
    // except for what constructors of foreign libraries may do, as for any program that sets a variable in `main`.
    unsafe { std::env::remove_var(CHILD_VARIABLE) };
}

/// For a process that is started before it is needed: does what can be done before the call is there, and waits until it is.
/// `None` if it never will be.
fn wait_for_orders(spare: &Frame, adopted: &Adopted) -> Option<()> {
    if let Ok(name) = std::str::from_utf8(&spare.items) {
        sys::set_process_name(name);
    }
    invoke::rehearse();
    invoke::touch_memory();
    let mut is_awake = false;
    loop {
        // If something is amiss the parent starts another.
        match sys::receive_streams(&adopted.stream, is_awake).ok()? {
            Arrived::Streams => return Some(()),
            Arrived::Word(ALERT) => {
                adopted.stream.write(&[IoSlice::new(&[READY])], &[]).ok()?;
                is_awake = true;
            }
            Arrived::Word(_) | Arrived::End => return None,
        }
    }
}

/// The call, or other orders of these kinds; `None` if the parent has gone away or what came is none.
pub(super) fn receive(adopted: &Adopted, kinds: &[Kind]) -> Option<Frame> {
    let mut inbox = Inbox::default();
    loop {
        match inbox.pump(&mut &adopted.stream, usize::MAX) {
            Ok(Progress::Complete(frame)) if kinds.contains(&frame.kind) => return Some(frame),
            Ok(Progress::Complete(frame)) if frame.kind == Kind::Spare => wait_for_orders(&frame, adopted)?,
            Ok(Progress::Pending | Progress::More) => {}
            Ok(Progress::Closed { partial: false }) => return None,
            Ok(Progress::Closed { .. } | Progress::Complete(_)) => {
                complain(format_args!("the parent process sent something that is no call"));
                return None;
            }
            Err(error) => {
                complain(format_args!("the call cannot be read: {error}"));
                return None;
            }
        }
    }
}
