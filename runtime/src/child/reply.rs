//! Sending frames to the parent: each whole, and none after the answer.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::link::{self, Outbox};
use crate::sys::Adopted;
use crate::wire::{Kind, Packed};

/// What has been sent. Locked while a frame is on its way: a panic of another thread may have something to say in the
/// middle of the answer. Nothing that runs under the lock panics.
static SENT: Mutex<Sent> = Mutex::new(Sent::Nothing);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    LastWords,
    Answer,
}

/// How the sending of an answer went.
pub(super) enum Delivery {
    Done,
    /// The parent has closed its end.
    NobodyListens,
    /// The entry has closed this end, or forked this process.
    Impossible,
}

/// Sends what the entry's end was.
pub(super) fn answer(kind: Kind, packed: Packed, adopted: &Adopted) -> Delivery {
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    *sent = Sent::Answer;
    if !adopted.is_ours() {
        complain(format_args!("a copy of the child process that its entry has forked came to the entry's end"));
        return Delivery::Impossible;
    }
    if !adopted.is_intact() {
        complain(format_args!(
            "the result of this child process is lost: its code has closed the connection to the parent, a file \
             descriptor that is not its own"
        ));
        return Delivery::Impossible;
    }
    if write(kind, &[], packed, adopted) { Delivery::Done } else { Delivery::NobodyListens }
}

/// Sends one of a worker's many frames.
pub(super) fn send(kind: Kind, head: &[u8], packed: Packed, adopted: &Adopted) -> Delivery {
    // A frame of last words is whole before this one begins.
    let _sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    if !adopted.is_intact() {
        complain(format_args!(
            "this worker of a pool ends: one of its tasks has closed the connection to the pool, a file descriptor that is \
             not its own"
        ));
        return Delivery::Impossible;
    }
    if write(kind, head, packed, adopted) { Delivery::Done } else { Delivery::NobodyListens }
}

/// Sends what is about to be lost, once, unless the answer is on its way or there.
pub(super) fn last_words(error: &Error, adopted: &Adopted) {
    let packed = pack_error(error);
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    if *sent == Sent::Nothing && adopted.is_ours() && adopted.is_intact() {
        *sent = Sent::LastWords;
        write(Kind::LastWords, &[], packed, adopted);
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

fn write(kind: Kind, head: &[u8], packed: Packed, adopted: &Adopted) -> bool {
    let mut outbox = Outbox::new(kind, head, packed);
    adopted.stream.prepare_to_write(outbox.len());
    outbox.pump(|pieces, handles| adopted.stream.write(pieces, handles)).is_ok()
}

/// Tells the person at the terminal. Unlike `eprintln!`, it does not panic where nobody reads.
pub(super) fn complain(what: fmt::Arguments<'_>) {
    let mut line = String::new();
    let _ = writeln!(line, "spawnsafe: {what}");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
