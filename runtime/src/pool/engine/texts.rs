//! What goes wrong with engines and their nodes, in words.

use std::io;
use std::time::Duration;

use super::VARIABLE;
use crate::error::{Error, ErrorKind};

pub(super) fn no_engine(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "{VARIABLE} names no engine: {why}; write `local`, `slurm`, `slurm:ARGUMENTS`, `ssh:HOST,HOST` or `command:COMMAND`"
        ),
    )
}

pub(super) fn no_nodes() -> Error {
    Error::new(ErrorKind::Spawn, "the engine has no nodes: name one host, one command or one node at least")
}

pub(super) fn no_program(why: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!("it is not known where this program is on the nodes: {why}; say so with `Engine::program`"),
    )
}

pub(in crate::pool) fn not_carried(setting: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "`PoolBuilder::{setting}` is a descriptor of this process, which no engine carries to other machines; give \
             `Stdio::null()` or `Stdio::inherit()`"
        ),
    )
}

pub(in crate::pool) fn not_resized() -> Error {
    Error::new(
        ErrorKind::Spawn,
        "the workers of this pool are on the nodes of an engine, which says how many there are; make another pool",
    )
}

/// The command that should reach a node could not even be started.
pub(super) fn no_command(program: &str, error: io::Error) -> Error {
    let hint = if error.kind() == io::ErrorKind::NotFound { "; is it installed, and in `PATH`?" } else { "" };
    Error::new(ErrorKind::Spawn, format!("`{program}` cannot be started: {error}{hint}")).with_source(error)
}

pub(super) fn no_thread(error: io::Error) -> Error {
    Error::new(ErrorKind::Spawn, format!("a thread for a node cannot be started: {error}")).with_source(error)
}

/// It ended, or closed its output, before it was of use. `said` is what it wrote instead.
pub(super) fn no_hello(node: &str, command: &str, said: &str) -> Error {
    let said = if said.is_empty() { "it said nothing".into() } else { format!("it said: {said}") };
    Error::new(
        ErrorKind::Spawn,
        format!("the program was not reached on {node} by `{command}`: {said}; does this command work by hand?"),
    )
}

pub(super) fn hello_too_late(node: &str, limit: Duration) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!("{node} did not say hello within {limit:?}; if it needs longer, say so with `Engine::start_timeout`"),
    )
}

pub(super) fn terminal() -> &'static str {
    "what comes from it went through a terminal, which changes bytes: leave out what asks for one (`-t`)"
}

/// A task may have run on a node that is gone.
pub(super) fn lost(node: &str, attempt: u32, why: &str) -> Error {
    Error::new(
        ErrorKind::Lost,
        format!("{node} was lost while it had the task (attempt {attempt}): {why}; {}", may_run_twice()),
    )
}

/// What is added to the error of a task whose worker has vanished.
pub(super) fn worker_lost(node: &str, attempt: u32) -> String {
    format!(" (on {node}, attempt {attempt}; {})", may_run_twice())
}

fn may_run_twice() -> &'static str {
    "if the entry may run twice, say so: `#[child_entry(on_loss = retry(3))]`"
}

pub(super) fn silent(limit: Duration) -> String {
    format!("nothing was heard of it for {limit:?}")
}

/// The last node that there was is given up.
pub(super) fn broken(failures: u32, last: &Error) -> Error {
    let error = Error::new(
        last.kind(),
        match failures {
            1 => format!("the pool has given up: no node is left: {last}"),
            _ => format!(
                "the pool has given up: no node is left, and the last one failed {failures} times in a row: {last}"
            ),
        },
    );
    match (last.panic(), last.exit_status()) {
        (Some(panic), _) => error.with_panic(panic.clone()),
        (None, Some(status)) => error.with_status(status),
        (None, None) => error,
    }
}

pub(super) fn unfit(node: &str, error: &Error) -> Error {
    let unfit = Error::new(error.kind(), format!("the workers on {node} cannot begin: {error}"));
    match (error.panic(), error.exit_status()) {
        (Some(panic), _) => unfit.with_panic(panic.clone()),
        (None, Some(status)) => unfit.with_status(status),
        (None, None) => unfit,
    }
}

pub(super) fn build_mismatch() -> Error {
    Error::new(
        ErrorKind::BuildMismatch,
        "the program on the node is another build than the one that has sent it tasks; put the same file there, and give \
         programs a build id (the linker's `--build-id`) if it is the same",
    )
}

pub(super) fn damaged_orders() -> Error {
    Error::new(ErrorKind::Protocol, "the orders of the agent cannot be read")
}

pub(super) fn unknown_entry() -> Error {
    Error::new(
        ErrorKind::UnknownEntry,
        "the program on the node has no entry of this name; is the crate that defines it linked into the program?",
    )
}

/// A call that no message of a queue can hold.
pub(super) fn too_large(bytes: usize, largest: usize) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!(
            "its arguments and the inherited statics have {bytes} bytes, and the queue takes messages of {largest} at most \
             (`max_payload` of a NATS server); nothing was sent; pass a path or an address, or raise the limit"
        ),
    )
}

/// A result that no message of a queue can hold.
pub(super) fn result_too_large(bytes: usize, largest: usize) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!(
            "its result has {bytes} bytes, and the queue takes messages of {largest} at most (`max_payload` of a NATS \
             server); return a path or an address, or raise the limit"
        ),
    )
}

/// What is said of an initializer's error that no message of a queue can hold.
pub(super) fn value_too_large(bytes: usize, largest: usize) -> String {
    format!(
        "; what it has returned has {bytes} bytes, and the queue takes messages of {largest} at most (`max_payload` of a NATS \
         server)"
    )
}

/// Why a task is lost whose parcel has come to somebody else.
pub(super) fn not_heard_of() -> &'static str {
    "it has stopped saying that it works on it"
}

pub(super) fn damaged_parcel() -> Error {
    Error::new(ErrorKind::Protocol, "a message in the queue is none that an agent can read")
}

pub(super) fn damaged_answer(node: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("what {node} has sent as its answer cannot be read"))
}

/// Nobody serves the queue.
pub(super) fn nobody(url: &str) -> String {
    format!(
        "no worker serves {url}; start this build of the program on some machine with the environment variable \
         `{}={url}`",
        crate::sys::AGENT_VARIABLE
    )
}

pub(super) fn argument_not_carried(argument: &str) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!(
            "its argument `{argument}` has an open handle, shared memory or the end of a channel in it, which no engine carries \
             to other machines; nothing was sent; pass a path, an address or the values themselves"
        ),
    )
}

pub(super) fn result_not_carried() -> Error {
    Error::new(
        ErrorKind::Encode,
        "its result has an open handle, shared memory or the end of a channel in it, which no engine carries from other \
         machines; return a path, an address or the values themselves",
    )
}
