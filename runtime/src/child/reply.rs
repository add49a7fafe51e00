//! Sending frames to the parent: each whole, and none after the answer.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::events;
use crate::error::Error;
use crate::link::{self, Outbox};
use crate::sys::{self, Adopted};
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

/// How long is waited for a thread that keeps standard output locked.
const LOCKED: Duration = Duration::from_millis(100);

/// Sees to it that what the entry has printed is out, as std does when a process exits: a thread that keeps the stream
/// locked for ever, say because it copies something to it, must not keep the answer back. Std can try to lock it; we
/// cannot, and where there is another thread, try by one that can be left behind.
pub(super) fn flush() {
    // Where nobody reads it there is nobody to tell.
    let flush = || drop(std::io::stdout().flush());
    match sys::thread_count() {
        Some(1) => flush(),
        Some(_) => {
            let (done, wait) = mpsc::channel::<()>();
            let thread = sys::with_signals_blocked(|| {
                std::thread::Builder::new().spawn(move || {
                    flush();
                    drop(done);
                })
            });
            if thread.is_ok() {
                let _ = wait.recv_timeout(LOCKED);
            }
        }
        // Here the parent waits for the end of the process anyway.
        None => {}
    }
}

/// Sends what the entry's end was.
pub(super) fn answer(kind: Kind, packed: Packed, adopted: &Adopted) -> Delivery {
    // In a copy the lock is as it was when that was made: another thread may have held it, which is not there.
    if !adopted.is_ours() {
        complain(format_args!("a copy of the child process that its entry has forked came to the entry's end"));
        return Delivery::Impossible;
    }
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    *sent = Sent::Answer;
    if !adopted.is_intact() {
        complain(format_args!(
            "the result of this child process is lost: its code has closed the connection to the parent, a file \
             descriptor that is not its own"
        ));
        return Delivery::Impossible;
    }
    tell_loss(adopted);
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
    tell_loss(adopted);
    if write(kind, head, packed, adopted) { Delivery::Done } else { Delivery::NobodyListens }
}

/// Sends an event, if the parent takes it before the deadline. `false` if it is lost.
#[cfg(feature = "tracing")]
pub(super) fn event(head: &[u8], packed: Packed, adopted: &Adopted, deadline: std::time::Instant) -> bool {
    // Others need not wait for this one.
    if !adopted.is_ours() || !adopted.stream.has_room(deadline) {
        return false;
    }
    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    let may_send = *sent != Sent::Answer && adopted.is_intact() && adopted.stream.has_room(std::time::Instant::now());
    let mut outbox = Outbox::new(Kind::Event, head, packed);
    may_send && outbox.pump(|pieces, _| adopted.stream.tell(pieces)).is_ok()
}

/// Sends what is about to be lost, once, unless the answer is on its way or there.
pub(super) fn last_words(error: &Error, adopted: &Adopted) {
    if !adopted.is_ours() {
        return;
    }
    let packed = pack_error(error);
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    if *sent == Sent::Nothing && adopted.is_intact() {
        *sent = Sent::LastWords;
        tell_loss(adopted);
        write(Kind::LastWords, &[], packed, adopted);
    }
}

/// An error is plain data and always packs.
pub(crate) fn pack_error(error: &Error) -> Packed {
    let mut packer = link::packer();
    match packer.value(error) {
        Ok(()) => packer.finish(),
        Err(_) => Packed::default(),
    }
}

/// Says now that events were lost, if any were.
pub(super) fn losses(adopted: &Adopted) {
    if events::has_loss() && adopted.is_ours() && adopted.is_intact() {
        let _sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
        tell_loss(adopted);
    }
}

/// Says that events were lost, before a frame that waits until the parent takes it: no event may come after those. Under the
/// lock, so that none is lost in between.
fn tell_loss(adopted: &Adopted) {
    if let Some((head, packed)) = events::loss() {
        write(Kind::Event, &head, packed, adopted);
    }
}

fn write(kind: Kind, head: &[u8], packed: Packed, adopted: &Adopted) -> bool {
    let mut outbox = Outbox::new(kind, head, packed);
    adopted.stream.prepare_to_write(outbox.len());
    outbox.pump(|pieces, handles| adopted.stream.write(pieces, handles)).is_ok()
}

/// Tells the person at the terminal. Unlike `eprintln!`, it does not panic where nobody reads.
pub(crate) fn complain(what: fmt::Arguments<'_>) {
    let mut line = String::new();
    let _ = writeln!(line, "spawnsafe: {what}");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
