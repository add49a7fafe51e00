//! The texts: what failed, and what to do about it.

use std::io;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::registry::Duplicate;
use crate::sys::{self, Ended};
use crate::wire::{EXIT_UNREPORTED, Fault};

pub(super) fn no_process_main() -> Error {
    Error::new(
        ErrorKind::NoProcessMain,
        "no process was started: `main` lacks `#[spawnsafe::process_main]`, so a child process would run it again; put \
         the attribute on `fn main` (or, in a test crate or a doc-test, write `spawnsafe::test_harness!();`)",
    )
}

pub(super) fn raised_privileges() -> Error {
    Error::new(
        ErrorKind::Spawn,
        "no process was started: this program runs with raised privileges (set-user-id, or capabilities of its file), \
         and a child of it would not take orders from its environment",
    )
}

pub(super) fn started_by_loader() -> Error {
    Error::new(
        ErrorKind::Spawn,
        "no process was started: this program was started as an argument of the dynamic loader, and only the loader could \
         be started again; run the program itself",
    )
}

pub(super) fn not_packed(fault: &Fault) -> Error {
    Error::new(ErrorKind::Encode, format!("its {fault}; nothing was started"))
}

pub(super) fn not_for_a_pool(setter: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "it was not submitted: `Call::{setter}` is about the process, and a task runs in a worker that is there \
             already; use `{setter}` of `Pool::builder()`, which sets it for all workers, or `spawn` the call"
        ),
    )
}

pub(super) fn duplicate(Duplicate { first, second }: &Duplicate) -> Error {
    Error::new(
        ErrorKind::DuplicateEntry,
        format!("no process was started: there are two entries of this name, {first:?} and {second:?}; rename one"),
    )
}

pub(crate) fn not_started(error: io::Error) -> Error {
    let hint = sys::start_hint(&error);
    Error::new(ErrorKind::Spawn, format!("the process cannot be started: {error}{hint}")).with_source(error)
}

/// The system has refused to send a part of the call.
pub(crate) fn not_sent(error: io::Error) -> Error {
    let hint = sys::start_hint(&error);
    Error::new(ErrorKind::Encode, format!("its arguments cannot be sent: {error}{hint}")).with_source(error)
}

/// The child has ended, and its connection holds no answer.
pub(crate) fn without_answer(id: u32, ended: Ended, partial: bool) -> Error {
    let when = if partial { "while it was sending its result" } else { "before its result was there" };
    match ended {
        Ended::With(status) if status.code().is_none() => {
            Error::new(ErrorKind::Signaled, format!("its process {id} was ended by {status} {when}"))
                .with_status(status)
        }
        Ended::With(status) => {
            let hint = if status.code() == Some(EXIT_UNREPORTED) {
                "it lost the connection; does the entry close file descriptors that are not its own?"
            } else {
                "an entry must return for its result to arrive"
            };
            Error::new(ErrorKind::Exited, format!("its process {id} ended with {status} {when}; {hint}"))
                .with_status(status)
        }
        Ended::Unknown => Error::new(
            ErrorKind::Closed,
            format!(
                "its process {id} ended {when}, and how is not known: this program ignores SIGCHLD, or has reaped the \
                 process itself"
            ),
        ),
    }
}

pub(super) fn timed_out(id: u32, timeout: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("its process {id} had no result after {timeout:?} and was killed"))
}

pub(super) fn cancelled(id: u32) -> Error {
    Error::new(ErrorKind::Cancelled, format!("its process {id} was killed by `Child::kill`"))
}

pub(super) fn garbage(id: u32, error: &impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!(
            "what its process {id} sent is not an answer, and the process was killed: {error}; does the entry write to \
             file descriptors that are not its own?"
        ),
    )
}

pub(crate) fn undecodable(error: &impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!(
            "its result cannot be rebuilt in this process: {error}; does its `Deserialize` read what its `Serialize` \
             writes?"
        ),
    )
}

pub(crate) fn already_joined() -> Error {
    Error::new(ErrorKind::Closed, "its result was already taken")
}

pub(super) fn lost(error: io::Error) -> Error {
    Error::new(ErrorKind::Closed, format!("its process can no longer be watched: {error}")).with_source(error)
}
