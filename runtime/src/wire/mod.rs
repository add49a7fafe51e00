//! What crosses the process boundary, as pure bytes: values as CBOR, and the frames that carry them.
//!
//! Nothing here does I/O or knows of processes. Bytes that come in are input, not truth: each length is checked
//! before it is believed, and no input makes these functions panic, recurse without bound or allocate more than
//! a small multiple of what has really arrived.
//!
//! # Values
//! A value is one CBOR item ([RFC 8949]) in the data model that serde's self-describing formats share, so any CBOR
//! reader can read it: structs are maps with text keys, enums are a text or a map of one. `ciborium-ll` reads and
//! writes the item headers; the serde layer above it is ours, because ciborium's own does not always return what it
//! was given (`Some(())` and `Some(None)` come back as `None`, byte strings of 4 KiB and more fail, and so does
//! nesting of more than 256 levels). Numbers of one type, side by side, are a typed array of [RFC 8746]. Ours adds three
//! things to plain CBOR:
//! - tag [`tag::SOME`] on a `Some` whose content would itself read as `None`;
//! - tag [`tag::BYTES`] or [`tag::TEXT`] on the number of a *blob*: a byte or text string of [`BLOB_MIN`] and more,
//!   which travels behind the item in the same frame, so that neither side copies it once more;
//! - tag [`tag::HANDLE`] on the number of an *attachment*: an open handle, which travels beside the bytes (see `attach`).
//!
//! [RFC 8746]: https://www.rfc-editor.org/rfc/rfc8746
//! [RFC 8949]: https://www.rfc-editor.org/rfc/rfc8949

mod attach;
#[cfg(feature = "engines")]
pub(crate) mod batch;
mod bytes;
mod call;
#[cfg(feature = "engines")]
mod columns;
mod decode;
mod encode;
mod fault;
mod frame;
mod global;
mod message;
#[cfg(feature = "engines")]
pub(crate) mod node;
mod numbers;
#[cfg(feature = "engines")]
pub(crate) mod parcel;
mod run;
mod stack;
#[cfg(test)]
mod tests;
mod worker;

use std::ops::Range;

pub(crate) use attach::{ATTACHMENTS_AT_ONCE, Arrived, Attachment, MAX_ATTACHMENTS, attach, claim};
pub(crate) use call::CallHead;
pub use decode::Unpacker;
pub use encode::Packer;
pub(crate) use fault::CodecError;
pub use fault::Fault;
pub(crate) use fault::Phase;
#[cfg(test)]
pub(crate) use frame::MAX_FRAME;
#[cfg(feature = "engines")]
pub(crate) use frame::NodeKind;
pub(crate) use frame::{
    ALERT, BLOB_HEADER_LEN, EXIT_UNREPORTED, FrameError, HEADER_LEN, Header, Kind, READY, TOKEN_BEFORE_MAIN, TOKEN_MAIN,
};
pub(crate) use global::{GlobalHead, GlobalValue};
pub(crate) use message::{MESSAGE_HEAD_LEN, MessageHead, PACKET_MAX};
pub(crate) use numbers::Blob;
#[cfg(feature = "tracing")]
pub(crate) use worker::EventHead;
pub(crate) use worker::{AnswerHead, EntryHead, RunHead, TaskRecord, TasksHead, WorkerHead};

/// The tags that this crate adds to plain CBOR. All are unassigned in IANA's registry.
mod tag {
    /// `Some` around something that by itself reads as `None`.
    pub(super) const SOME: u64 = 0x5350;
    /// The number of a blob that holds a byte string.
    pub(super) const BYTES: u64 = 0x5351;
    /// The number of a blob that holds a text string.
    pub(super) const TEXT: u64 = 0x5352;
    /// The number of an attachment.
    pub(super) const HANDLE: u64 = 0x5353;
    /// RFC 8949, 3.4.3: an unsigned integer as a byte string.
    pub(super) const BIG_POSITIVE: u64 = 2;
    /// RFC 8949, 3.4.3: a negative integer as a byte string.
    pub(super) const BIG_NEGATIVE: u64 = 3;
}

/// From this length on, a byte or text string travels as a blob. Below it, one more copy is cheaper than one more
/// buffer and one more system call.
pub(crate) const BLOB_MIN: usize = 64 << 10;

/// What the codec needs to know of the system, which this module does not import.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The lowest address of the current thread's stack, if the system can tell.
    pub(crate) stack_end: fn() -> Option<usize>,
    /// Prepares large memory to be filled.
    pub(crate) advise_large: fn(Range<*const u8>),
}

impl Memory {
    /// Prepares the capacity of a large buffer to be filled.
    fn advise<T>(self, buffer: &Vec<T>) {
        let start = buffer.as_ptr();
        (self.advise_large)(start.cast()..start.wrapping_add(buffer.capacity()).cast());
    }
}

/// What one frame carries: CBOR items, one after another, and the blobs and attachments that they refer to.
#[derive(Debug, Default)]
pub struct Packed {
    pub(crate) items: Vec<u8>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) attachments: Vec<Attachment>,
}

impl Packed {
    /// Whether the items are all of it.
    #[inline]
    pub(crate) fn is_items_only(&self) -> bool {
        self.blobs.is_empty() && self.attachments.is_empty()
    }

    /// The blobs as they arrive.
    #[cfg(test)]
    pub(crate) fn arrived_blobs(&self) -> Vec<Vec<u8>> {
        self.blobs.iter().map(|blob| blob.to_vec()).collect()
    }
}
