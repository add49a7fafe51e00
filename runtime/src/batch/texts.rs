//! The texts: what failed, and what to do about it.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// What often helps.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there",
        io::ErrorKind::PermissionDenied => "; may this user write there?",
        _ => "",
    }
}

pub(super) fn not_written(path: &Path, error: io::Error) -> Error {
    let message = format!("the batch cannot be written to {}: {error}{}", path.display(), hint(&error));
    Error::new(ErrorKind::System, message).with_source(error)
}

pub(super) fn not_read(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::System, format!("the batch in {} cannot be read: {error}", path.display())).with_source(error)
}

pub(super) fn there_already(root: &Path) -> Error {
    Error::new(
        ErrorKind::System,
        format!(
            "there is something in {} already; `Batch::open` opens a batch that was created before, and a new one needs a new \
             or an empty directory",
            root.display()
        ),
    )
}

pub(super) fn no_batch(path: &Path, error: io::Error) -> Error {
    let root = path.parent().unwrap_or(path);
    let why = match error.kind() {
        io::ErrorKind::NotFound if root.join("submissions").exists() => {
            "its calls are missing: `Batch::create` is still writing them, or was killed before it had; then remove the \
             directory and create the batch again"
                .to_owned()
        }
        io::ErrorKind::NotFound => "`Batch::create` makes one".to_owned(),
        _ => error.to_string(),
    };
    Error::new(ErrorKind::System, format!("there is no batch in {}: {why}", root.display())).with_source(error)
}

pub(super) fn damaged(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the file {} of a batch cannot be read: {why}", path.display()))
}

/// A file that should have had an answer.
pub(super) fn damaged_answer(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!(
            "its answer in {} cannot be read: {why}; a task is not run again by itself: remove the file and resubmit to have \
             it run",
            path.display()
        ),
    )
}

pub(super) fn build_mismatch(path: &Path) -> Error {
    Error::new(
        ErrorKind::BuildMismatch,
        format!(
            "the batch in {} was created by another build of the program, or with other features; use that one, or create the \
             batch anew. Keep the program's file as it is while a batch runs: copy it beside the batch and start it there, and \
             give programs a build id (the linker's `--build-id`)",
            path.parent().unwrap_or(path).display()
        ),
    )
}

pub(super) fn another_type(root: &Path, there: &str, asked: &str) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!("the results of the batch in {} are of type `{there}` and not `{asked}`", root.display()),
    )
}

pub(super) fn unknown_entry() -> Error {
    Error::new(
        ErrorKind::UnknownEntry,
        "the program has no entry of this name; is the crate that defines it linked into the program?",
    )
}

pub(super) fn not_for_a_batch(setter: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "it was not put into the batch: `Call::{setter}` is about the process, and that of a task is set up by the scheduler \
             on its node; give what you need to the scheduler, or pass it as an argument"
        ),
    )
}

pub(super) fn argument_not_carried(argument: &str) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!(
            "its argument `{argument}` has an open handle, shared memory or the end of a channel in it, which no file carries to \
             another machine; no batch was created; pass a path, an address or the values themselves"
        ),
    )
}

pub(super) fn result_not_carried() -> Error {
    Error::new(
        ErrorKind::Encode,
        "its result has an open handle, shared memory or the end of a channel in it, which no file carries from another \
         machine; return a path, an address or the values themselves",
    )
}

pub(super) fn result_not_written(path: &Path, error: io::Error) -> Error {
    let message = format!("its result cannot be written to {}: {error}{}", path.display(), hint(&error));
    Error::new(ErrorKind::System, message)
}

fn on(node: &str) -> String {
    if node.is_empty() { String::new() } else { format!(" on {node}") }
}

fn may_run_twice() -> &'static str {
    "if the entry may run twice, say so: `#[child_entry(on_loss = retry(3))]`"
}

/// What is added to the error of a task whose process has vanished.
pub(super) fn worker_lost(node: &str, attempt: u32) -> String {
    format!(
        " ({}attempt {attempt}; {})",
        if node.is_empty() { String::new() } else { format!("on {node}, ") },
        may_run_twice()
    )
}

/// A task may have run, and nobody is there who could tell.
pub(super) fn lost(task: u32, node: &str, attempt: u32, silence: Option<Duration>) -> Error {
    let why = match silence {
        Some(limit) => format!("nothing was heard of it for {limit:?}"),
        None => "the process that had it has ended without an answer".to_owned(),
    };
    Error::new(
        ErrorKind::Lost,
        format!(
            "task {task} was lost{} (attempt {attempt}): {why}; {}; `Batch::resubmit` runs it again in any case",
            on(node),
            may_run_twice()
        ),
    )
}

/// What the script was told, or was not.
pub(super) fn no_number(told: &str) -> Error {
    let told = if told.is_empty() { "nothing".to_owned() } else { format!("`{told}`") };
    Error::new(
        ErrorKind::Spawn,
        format!(
            "the scheduler has told the script no number of its element, but {told}; let its command start an array, or give the \
             script the number as its first argument: `sh {{script}} NUMBER`"
        ),
    )
}

pub(super) fn no_such_element(number: u32, first: u32, elements: u32) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "the scheduler has started element {number} of an array whose elements are {first} to {}; does its command number \
             them from there? Write `0-{{last}}` or `1-{{count}}` where it takes the range",
            u64::from(first) + u64::from(elements) - 1
        ),
    )
}

pub(super) fn no_thread(error: io::Error) -> Error {
    Error::new(ErrorKind::Spawn, format!("a thread for a batch cannot be started: {error}")).with_source(error)
}

pub(super) fn no_program(why: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "the path of this program for the nodes is not known: {why}; say where it is with `Scheduler::program`"
        ),
    )
}

pub(super) fn no_command() -> Error {
    Error::new(ErrorKind::Spawn, "the command of the scheduler is empty")
}

pub(super) fn command_not_started(program: &str, error: io::Error) -> Error {
    let hint = if error.kind() == io::ErrorKind::NotFound { "; is it installed here?" } else { "" };
    Error::new(ErrorKind::Spawn, format!("`{program}` cannot be started: {error}{hint}")).with_source(error)
}

pub(super) fn command_failed(command: &str, status: &str, said: &str) -> Error {
    let said = if said.is_empty() { "it said nothing".into() } else { format!("it said: {said}") };
    Error::new(ErrorKind::Spawn, format!("`{command}` ended with {status}: {said}; does this command work by hand?"))
}

pub(super) fn refused(error: &Error) -> Error {
    let refused = Error::new(error.kind(), format!("a process of the batch could not begin, and none runs: {error}"));
    match error.exit_status() {
        Some(status) => refused.with_status(status),
        None => refused,
    }
}

pub(super) fn no_scheduler(why: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!(
            "this names no scheduler: {why}; in SPAWNSAFE_SCHEDULER write `local`, `local:PROCESSES`, `slurm`, `slurm:ARGUMENTS` or \
             `command:COMMAND`"
        ),
    )
}
