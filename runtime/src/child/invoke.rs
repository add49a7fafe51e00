//! Running the entry that a call names, and sending the answer.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::Arc;

use super::panic;
use crate::error::{Error, ErrorKind};
use crate::link::{self, Frame, Outbox};
use crate::registry::{self, Entry};
use crate::sys::{self, Adopted};
use crate::wire::{CallHead, EXIT_UNREPORTED, Fault, Kind, Packed, Phase};

/// The exit status of a process that panicked, as Rust has it.
const EXIT_PANICKED: i32 = 101;

/// The exit status of a child that could not run its entry.
const EXIT_REFUSED: i32 = 70;

/// Runs the call and ends the process.
pub(super) fn answer(call: Frame, adopted: Arc<Adopted>) -> ! {
    let (status, kind, packed) = match run(call, &adopted) {
        Ok(packed) => (0, Kind::Value, packed),
        Err(error) => {
            let status = if error.kind() == ErrorKind::Panicked { EXIT_PANICKED } else { EXIT_REFUSED };
            (status, Kind::Failure, pack_error(&error))
        }
    };
    // What the entry has printed is out before the parent goes on.
    let _ = std::io::stdout().flush();
    let status = if send(kind, packed, &adopted) { status } else { EXIT_UNREPORTED };
    exit(status)
}

fn run(call: Frame, adopted: &Arc<Adopted>) -> Result<Packed, Error> {
    let Frame { items, blobs, .. } = call;
    let (head, arguments) = CallHead::decode(&items)
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "the call cannot be read: its head is damaged"))?;
    let entry = prepare(&head).map_err(|error| error.in_entry(head.name.to_owned()))?;
    let mut unpacker = link::unpacker(arguments, blobs);
    panic::watch_for(adopted, entry.name());
    match catch_unwind(AssertUnwindSafe(|| entry.run(&mut unpacker))) {
        Ok(Ok(packed)) => Ok(packed),
        Ok(Err(fault)) => Err(fault_error(&fault)),
        Err(payload) => Err(panic::error(&*payload)),
    }
    .map_err(|error| error.in_entry(entry.name()))
}

/// Finds the entry and makes the surroundings that the call asks for.
fn prepare(head: &CallHead<'_>) -> Result<&'static Entry, Error> {
    if head.build != sys::build_id() {
        return Err(Error::new(
            ErrorKind::BuildMismatch,
            "the child process runs another build of the program than its parent; restart the program after an update",
        ));
    }
    let entry = registry::find(head.index, head.name, head.position).ok_or_else(|| {
        Error::new(
            ErrorKind::UnknownEntry,
            "the child's program has no entry of this name; is the crate that defines it linked into the program?",
        )
    })?;
    if !head.current_dir.is_empty() {
        let dir = sys::os_string(head.current_dir);
        std::env::set_current_dir(&dir).map_err(|error| {
            Error::new(ErrorKind::Spawn, format!("the child process cannot work in the directory {dir:?}"))
                .with_source(error)
        })?;
    }
    sys::set_process_name(head.process_name);
    Ok(entry)
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

/// An error is plain data and always packs.
pub(super) fn pack_error(error: &Error) -> Packed {
    let mut packer = link::packer();
    match packer.value(error) {
        Ok(()) => packer.finish(),
        Err(_) => Packed::default(),
    }
}

/// Whether all of it is on its way. It is not if the parent is gone, or if the entry has closed the connection.
pub(super) fn send(kind: Kind, packed: Packed, adopted: &Adopted) -> bool {
    if !adopted.is_intact() {
        eprintln!(
            "spawnsafe: the result of this child process is lost: its code has closed the connection to the parent, a \
             file descriptor that is not its own"
        );
        return false;
    }
    let mut outbox = Outbox::new(kind, &[], packed);
    adopted.stream.prepare_to_write(outbox.len());
    outbox.pump(|pieces| adopted.stream.write(pieces)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head<'a>(build: u64, name: &'a str, current_dir: &'a [u8]) -> CallHead<'a> {
        CallHead { build, index: 0, position: (0, 0), name, process_name: "", current_dir }
    }

    #[test]
    fn an_unknown_entry_and_another_build_are_told_apart() {
        let unknown = prepare(&head(sys::build_id(), "nobody::home", b"")).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::UnknownEntry);
        let mismatch = prepare(&head(!sys::build_id(), "nobody::home", b"")).unwrap_err();
        assert_eq!(mismatch.kind(), ErrorKind::BuildMismatch);
    }
}
