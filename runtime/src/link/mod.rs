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
pub(crate) use ring::Ring;

use std::io;

use crate::sys;
use crate::wire::{Memory, Packer, Unpacker};

/// The codec's view of this system.
const MEMORY: Memory = Memory { stack_end: sys::stack_end, advise_large: sys::advise_large };

/// Whether writing has failed because the other side reads no more.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, WriteZero};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | WriteZero)
}

/// Packs values on this thread.
pub(crate) fn packer() -> Packer {
    Packer::new(MEMORY)
}

/// Unpacks the values in `items` on this thread.
pub(crate) fn unpacker(items: &[u8], blobs: Vec<Vec<u8>>) -> Unpacker<'_> {
    Unpacker::new(items, blobs, MEMORY)
}
