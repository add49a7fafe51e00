//! What goes wrong in pools, in words.

use std::time::Duration;

use crate::error::{Error, ErrorKind, RemoteError};

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "it was not submitted: the pool is closed; submit before `close`, or make a new pool")
}

pub(super) fn dropped() -> Error {
    Error::new(ErrorKind::Closed, "the pool was dropped before the task had ended; `join` the task or the pool first")
}

pub(super) fn shut_down() -> Error {
    Error::new(ErrorKind::Cancelled, "the task had not ended when the time of `Pool::shutdown` was over")
}

pub(super) fn shutdown_too_slow(timeout: Duration) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!("some tasks of the pool had not ended after {timeout:?}, and their workers were killed"),
    )
}

pub(super) fn cancelled(id: Option<u32>) -> Error {
    let how = match id {
        Some(id) => format!("the worker {id} that ran it was killed"),
        None => "it had not begun".to_owned(),
    };
    Error::new(ErrorKind::Cancelled, format!("the task was cancelled by `Task::cancel`: {how}"))
}

pub(super) fn timed_out(id: u32, timeout: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("the task had no result after {timeout:?}, and its worker {id} was killed"))
}

pub(super) fn garbage(id: u32, why: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!(
            "what its worker {id} sent is not an answer, and the worker was killed: {why}; does the entry write to file \
             descriptors that are not its own?"
        ),
    )
}

pub(super) fn lost_connection(id: u32) -> Error {
    Error::new(
        ErrorKind::Closed,
        format!(
            "its worker {id} lost the connection to the pool and was killed; does the entry close file descriptors that \
             are not its own?"
        ),
    )
}

pub(super) fn cannot_watch(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Closed, format!("its worker can no longer be watched: {error}")).with_source(error)
}

/// Why a worker could not begin, as the tasks that have waited for it are told.
pub(super) fn broken(failures: u32, last: &Error) -> Error {
    let error = Error::new(
        last.kind(),
        format!(
            "the pool has given up: its workers failed {failures} times in a row before they were ready, the last time so: \
             {last}"
        ),
    );
    // For programs; the text has it already.
    match (last.panic(), last.exit_status()) {
        (Some(panic), _) => error.with_panic(panic.clone()),
        (None, Some(status)) => error.with_status(status),
        (None, None) => error,
    }
}

pub(super) fn initializer_too_slow(id: u32, limit: Duration) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!(
            "the worker {id} was not ready after {limit:?} and was killed; if its initializer needs longer, say so with \
             `PoolBuilder::initializer_timeout`"
        ),
    )
}

pub(super) fn initializer_failed(error: &RemoteError) -> Error {
    Error::new(ErrorKind::Spawn, format!("the initializer has failed: {error}"))
}

pub(super) fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Spawn, format!("the thread of a worker cannot be started: {error}")).with_source(error)
}

pub(super) fn no_waker(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Spawn, format!("a worker cannot be prepared: {error}")).with_source(error)
}

pub(super) fn piped() -> Error {
    Error::new(
        ErrorKind::Spawn,
        "`Stdio::piped` is for single children: nobody would read or write the other ends of a pool's workers; give a \
         file, `Stdio::null()` or `Stdio::inherit()`",
    )
}

pub(super) fn no_workers() -> Error {
    Error::new(ErrorKind::Spawn, "a pool needs at least one worker")
}
