//! Bytes in memory, for what is too long for a packet. Here they go through a pipe in the end: memory has no name by which a
//! receiver that is not known yet could find it, and would be gone with its sender.
//!
//! ```text
//! offset 0   16 bytes  by which this process knows what it has stored
//!        16   8 bytes  how many bytes
//!        24   8 bytes  which of all that go through a queue; with the bytes, this is what goes through the pipe
//!        32            the bytes
//! ```

#![allow(unsafe_code)]

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read};
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::slice;
use std::sync::OnceLock;

use super::AnyHandle;
use super::segment::section;
use super::view::View;

const LEN_AT: usize = 16;
const ID_AT: usize = 24;
const HEAD: usize = 32;

/// Puts bytes into new memory.
pub(crate) fn store<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<AnyHandle> {
    let len = pieces.clone().map(|piece| piece.len() as u64).sum::<u64>();
    let mut memory = Memory::new(len)?;
    let mut rest = &mut memory.bytes_mut()[HEAD..];
    for piece in pieces {
        let (here, behind) = rest.split_at_mut(piece.len());
        here.copy_from_slice(piece);
        rest = behind;
    }
    Ok(memory.section.into())
}

/// Memory that is being filled, and which nobody else has.
struct Memory {
    section: OwnedHandle,
    view: View,
    len: usize,
}

impl Memory {
    fn new(len: u64) -> io::Result<Self> {
        // A pipe takes no more at once, and counts the number in front as well.
        let fits = len.checked_add(8).is_some_and(|len| u32::try_from(len).is_ok());
        let len = usize::try_from(len).ok().filter(|_| fits).ok_or_else(|| {
            let message = format!("{len} bytes are more than one message can have on this system, 4 GiB");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        let section = section(HEAD + len)?;
        let mut memory = Self { view: View::to_write(section.as_handle())?, section, len: HEAD + len };
        let bytes = memory.bytes_mut();
        bytes[..LEN_AT].copy_from_slice(mark());
        bytes[LEN_AT..ID_AT].copy_from_slice(&(len as u64).to_le_bytes());
        Ok(memory)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the view has this length and was mapped to be written; nobody else has the section.
        unsafe { slice::from_raw_parts_mut(self.view.start().as_ptr(), self.len) }
    }
}

/// What has this process stored, nobody else can have written: no other process ever gets it.
fn mark() -> &'static [u8; LEN_AT] {
    static MARK: OnceLock<[u8; LEN_AT]> = OnceLock::new();
    MARK.get_or_init(|| {
        let mut mark = [0; LEN_AT];
        mark.chunks_exact_mut(8).for_each(|half| half.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes()));
        mark
    })
}

/// How many bytes this process has stored in what is mapped; `None` if it is something else.
fn stored_len(view: &View) -> Option<usize> {
    let room = view.len().ok()?.checked_sub(HEAD)?;
    // SAFETY: the view is longer than that. Nobody writes to what may be compared, as it is ours if the mark is, and of
    // anything else all that is done with it is this comparison.
    let head = unsafe { slice::from_raw_parts(view.start().as_ptr().cast_const(), ID_AT) };
    let (is_ours, len) = (head[..LEN_AT] == mark()[..], head[LEN_AT..].first_chunk()?);
    usize::try_from(u64::from_le_bytes(*len)).ok().filter(|&len| is_ours && len <= room)
}

/// Stored bytes on their way out.
pub(super) struct Leaving(View, usize);

impl Leaving {
    /// `None` for whatever this process has not stored.
    pub(super) fn of(handle: &AnyHandle) -> Option<Self> {
        // What may only be read is a shared slice, and not even looked at.
        let view = View::to_write(handle.handle()?.as_handle()).ok()?;
        let len = stored_len(&view)?;
        Some(Self(view, len))
    }

    /// What goes through the pipe.
    pub(super) fn message(&mut self, id: u64) -> &[u8] {
        let (start, len) = (self.0.start().as_ptr(), HEAD - ID_AT + self.1);
        // SAFETY: the view has a head and that many bytes behind it, and was mapped to be written. `self` is borrowed
        // uniquely, and whoever has stored the bytes sends them once at a time.
        let message = unsafe { slice::from_raw_parts_mut(start.wrapping_add(ID_AT), len) };
        message[..8].copy_from_slice(&id.to_le_bytes());
        message
    }
}

/// Stores what `read` gives: a message of this length that somebody has sent.
pub(super) fn arrive(len: usize, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<AnyHandle> {
    let len = len.checked_sub(HEAD - ID_AT).ok_or(io::ErrorKind::InvalidData)?;
    let mut memory = Memory::new(len as u64)?;
    let message = &mut memory.bytes_mut()[ID_AT..];
    if read(message)? != message.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(memory.section.into())
}

/// Bytes that were stored, to be read once.
#[derive(Debug)]
pub(crate) struct Stored {
    view: View,
    at: usize,
    len: usize,
}

impl Stored {
    /// An error for whatever is no such memory, or claims more than was written.
    pub(crate) fn open(handle: AnyHandle) -> io::Result<Self> {
        let handle = handle.into_handle()?;
        let view = View::to_read(handle.as_handle()).map_err(|_| io::ErrorKind::InvalidData)?;
        let len = stored_len(&view).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { view, at: 0, len })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }
}

impl Read for Stored {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = buf.len().min(self.len - self.at);
        let start = self.view.start().as_ptr().wrapping_add(HEAD + self.at).cast_const();
        // SAFETY: that many bytes are left of those behind the head, and nobody writes to them any more.
        buf[..count].copy_from_slice(unsafe { slice::from_raw_parts(start, count) });
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::SegmentMut;
    use super::*;

    #[test]
    fn what_is_stored_is_read_and_leaves() {
        let section = store([&b"ab"[..], b"", b"cde"].into_iter()).unwrap();
        let sent = Leaving::of(&section).unwrap().message(7).to_vec();
        let mut stored = Stored::open(section).unwrap();
        assert_eq!(stored.len(), 5);
        let mut bytes = Vec::new();
        stored.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"abcde");

        let copied = |from: &[u8], to: &mut [u8]| {
            to.copy_from_slice(from);
            Ok(from.len())
        };
        let section = arrive(sent.len(), |into| copied(&sent, into)).unwrap();
        bytes.clear();
        Stored::open(section).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!((&sent[..8], &bytes[..]), (&7_u64.to_le_bytes()[..], &b"abcde"[..]));
        assert!(arrive(7, |into| copied(&sent[..7], into)).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        let file = || AnyHandle::from(std::fs::File::open(std::env::current_exe().unwrap()).unwrap());
        assert!(Stored::open(file()).is_err() && Leaving::of(&file()).is_none());
        let mut shared = SegmentMut::zeroed(100).unwrap();
        shared.bytes_mut()[..LEN_AT].copy_from_slice(mark());
        shared.bytes_mut()[LEN_AT..ID_AT].fill(0xff);
        let shared = shared.seal().unwrap();
        assert!(Leaving::of(shared.handle()).is_none());
        assert!(Stored::open(shared.handle().try_clone().unwrap()).is_err());
    }
}
