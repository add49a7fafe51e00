//! Running the entry that a call names, and sending the answer.

use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::Arc;

use super::reply::{self, Delivery};
use super::{events, panic};
use crate::error::{Error, ErrorKind};
use crate::inherit;
use crate::link::{self, Frame, Inbox, Outbox, Progress};
use crate::registry::{self, Entry};
use crate::sys::{self, Adopted};
use crate::wire::{Arrived, CallHead, EXIT_UNREPORTED, Fault, Kind, Packed, Phase};

/// The exit status of a process that panicked, as Rust has it.
const EXIT_PANICKED: i32 = 101;

/// The exit status of a child that could not run its entry.
pub(super) const EXIT_REFUSED: i32 = 70;

/// Runs the call and ends the process. What the entry has printed is out before the parent goes on: with a value it does
/// so at once, and with an error when this process is gone, which flushes on its way out as any program does.
pub(super) fn answer(call: Frame, adopted: Arc<Adopted>) -> ! {
    let (status, kind, packed) = match run(call, &adopted) {
        Ok(packed) => {
            reply::flush();
            (0, Kind::Value, packed)
        }
        Err(error) => {
            let status = if error.kind() == ErrorKind::Panicked { EXIT_PANICKED } else { EXIT_REFUSED };
            (status, Kind::Failure, reply::pack_error(&error))
        }
    };
    match reply::answer(kind, packed, &adopted) {
        // A parent that does not listen has detached this process, or has ended.
        Delivery::Done | Delivery::NobodyListens => exit(status),
        Delivery::Impossible => exit(EXIT_UNREPORTED),
    }
}

fn run(call: Frame, adopted: &Arc<Adopted>) -> Result<Packed, Error> {
    let Frame { items, blobs, attachments, .. } = call;
    let (head, rest) = CallHead::decode(&items)
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "the call cannot be read: its head is damaged"))?;
    let entry = prepare(&head).map_err(|error| error.in_entry(head.name.to_owned()))?;
    events::send_up_to(head.events, adopted);
    panic::watch_for(adopted);
    panic::now_runs(entry.name());
    guarded(entry, || call_with(entry, inherit::restore(rest)?, blobs, attachments))
}

/// Goes the way of a call without running one, while nobody waits: what is touched for the first time, code and data, costs more
/// than all else that a small call does.
pub(super) fn rehearse() {
    let head = CallHead {
        build: sys::build_id(),
        index: 0,
        position: (0, 0),
        name: "",
        process_name: "",
        current_dir: b"",
        events: 0,
    };
    let mut call = Outbox::with_pieces(Kind::Call, &head.encode(), inherit::Values::nothing(), Packed::default());
    let mut bytes = Vec::new();
    let _ = call.pump(|pieces, _| {
        bytes.extend_from_slice(pieces.first().map_or(&[], |piece| piece));
        Ok(pieces.first().map_or(0, |piece| piece.len()))
    });
    if let Ok(Progress::Complete(frame)) = Inbox::default().pump(&mut &bytes[..], usize::MAX) {
        let answer = CallHead::decode(&frame.items).map_or(Ok(Packed::default()), |(head, rest)| {
            check_build(&head)?;
            let arguments = inherit::restore(rest)?;
            let unpacked = link::unpacker(arguments, frame.blobs).finish();
            unpacked.map_err(|error| fault_error(&Fault::argument("", error)))?;
            find(&head)?;
            Ok(link::packer().finish())
        });
        // No entry has no name.
        let packed = answer.unwrap_or_else(|error| reply::pack_error(&error));
        drop(Outbox::new(Kind::Failure, &[], packed));
    }
    sys::prepare_thread_count();
    // Nothing was printed.
    reply::flush();
}

/// Some of the stack and of the heap that most calls get by with.
#[inline(never)]
pub(super) fn touch_memory() {
    const LEN: usize = 32 << 10;
    hint::black_box([1_u8; LEN]);
    hint::black_box(vec![1_u8; LEN]);
}

/// Runs the entry with these arguments.
pub(super) fn call_with(
    entry: &Entry,
    arguments: &[u8],
    blobs: Vec<Vec<u8>>,
    attachments: Vec<Arrived>,
) -> Result<Packed, Error> {
    let mut unpacker = link::unpacker(arguments, blobs).with_attachments(attachments);
    entry.run(&mut unpacker).map_err(|fault| fault_error(&fault))
}

/// Makes an error of a panic, and says in each error which entry it was.
pub(super) fn guarded(entry: &Entry, run: impl FnOnce() -> Result<Packed, Error>) -> Result<Packed, Error> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|payload| {
            let error = panic::error(&*payload);
            // Dropping it is the user's code, which may panic once more.
            std::mem::forget(payload);
            Err(error)
        })
        .map_err(|error| error.in_entry(entry.name()))
}

/// Finds the entry and makes the surroundings that the call asks for.
fn prepare(head: &CallHead<'_>) -> Result<&'static Entry, Error> {
    check_build(head)?;
    let entry = find(head)?;
    enter_surroundings(head)?;
    Ok(entry)
}

pub(super) fn check_build(head: &CallHead<'_>) -> Result<(), Error> {
    if head.build != sys::build_id() {
        return Err(Error::new(
            ErrorKind::BuildMismatch,
            "the child process runs another build of the program than its parent; restart the program after an update",
        ));
    }
    Ok(())
}

pub(super) fn find(head: &CallHead<'_>) -> Result<&'static Entry, Error> {
    registry::find(head.index, head.name, head.position).ok_or_else(unknown_entry)
}

pub(super) fn unknown_entry() -> Error {
    Error::new(
        ErrorKind::UnknownEntry,
        "the child's program has no entry of this name; is the crate that defines it linked into the program?",
    )
}

/// Works in the directory, and has the name, that the call asks for.
pub(super) fn enter_surroundings(head: &CallHead<'_>) -> Result<(), Error> {
    if !head.current_dir.is_empty() {
        let dir = sys::os_string(head.current_dir);
        std::env::set_current_dir(&dir).map_err(|error| {
            Error::new(ErrorKind::Spawn, format!("the child process cannot work in the directory {dir:?}"))
                .with_source(error)
        })?;
    }
    sys::set_process_name(head.process_name);
    Ok(())
}

fn fault_error(fault: &Fault) -> Error {
    match fault.phase {
        Phase::Argument(name) => Error::new(
            ErrorKind::Decode,
            format!(
                "its argument `{name}` cannot be rebuilt in the child process: {}; does its `Deserialize` read what \
                 its `Serialize` writes?",
                fault.error
            ),
        ),
        Phase::Result => {
            Error::new(ErrorKind::Encode, format!("its result cannot be sent to the parent process: {}", fault.error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head<'a>(build: u64, name: &'a str, current_dir: &'a [u8]) -> CallHead<'a> {
        CallHead { build, index: 0, position: (0, 0), name, process_name: "", current_dir, events: 0 }
    }

    #[test]
    fn an_unknown_entry_and_another_build_are_told_apart() {
        let unknown = prepare(&head(sys::build_id(), "nobody::home", b"")).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::UnknownEntry);
        let mismatch = prepare(&head(!sys::build_id(), "nobody::home", b"")).unwrap_err();
        assert_eq!(mismatch.kind(), ErrorKind::BuildMismatch);
    }
}
