//! One framed connection: frames become bytes in order, and bytes become frames as they arrive.
//!
//! Both directions are machines that do as much as the connection takes and can then be asked again, so that one
//! piece of code serves a child that blocks, a parent that waits for several things, and an executor.

mod attach;
mod inbox;
mod outbox;
mod ring;
#[cfg(test)]
mod tests;

pub(crate) use attach::{attach, claim};
pub(crate) use inbox::{Frame, Inbox, Progress};
pub(crate) use outbox::{Outbox, Piece};
pub(crate) use ring::{Answer, Answers, Ring};

use std::cell::Cell;
use std::io;

use crate::sys;
#[cfg(feature = "tracing")]
use crate::trace::Event;
#[cfg(feature = "tracing")]
use crate::wire::EventHead;
use crate::wire::{Memory, Packer, Unpacker};

/// The codec's view of this system.
const MEMORY: Memory = Memory { stack_end: sys::stack_end, advise_large: sys::advise_large };

/// Whether writing has failed because the other side reads no more.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, WriteZero};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | WriteZero)
}

/// What a buffer may have at most to be kept for the next values.
const KEPT: usize = 16 << 10;

thread_local! {
    /// Where the next values are packed. Memory for each small call by itself would cost more than to pack it.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Packs values on this thread.
#[inline]
pub(crate) fn packer() -> Packer {
    // A thread that ends has none any more.
    Packer::with_buffer(MEMORY, SPARE.try_with(Cell::take).unwrap_or_default())
}

/// Keeps a buffer of packed values, which are of no use any more, for the next ones.
#[inline]
pub(crate) fn recycle(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        buffer.clear();
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}

/// Unpacks the values in `items` on this thread.
#[inline]
pub(crate) fn unpacker(items: &[u8], blobs: Vec<Vec<u8>>) -> Unpacker<'_> {
    Unpacker::new(items, blobs, MEMORY)
}

/// What a frame of [`Kind::Event`](crate::wire::Kind::Event) tells, and the number of the task that has told it; `None` if it
/// is no such thing.
#[cfg(feature = "tracing")]
pub(crate) fn event(frame: &Frame) -> Option<(Option<u64>, Event)> {
    if frame.items.len() > Event::MAX_LEN || !frame.blobs.is_empty() {
        return None;
    }
    let (EventHead(task), body) = EventHead::decode(&frame.items)?;
    let event: Event = unpacker(body, Vec::new()).value().ok()?;
    event.is_sound().then_some((task, event))
}
