//! Bytes in memory that another process can be given: for what is too long for a packet. A segment, in which their number
//! stands before them, as macOS knows the length of memory in whole pages only.

use std::io::{self, Read};

use crate::sys::OwnedHandle;
use crate::sys::imp::{Segment, SegmentMut};

/// How many bytes the number takes.
const HEAD: usize = size_of::<u64>();

/// Puts bytes into new memory.
pub(crate) fn store<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<OwnedHandle> {
    let len = pieces.clone().map(|piece| piece.len() as u64).sum::<u64>();
    let whole = usize::try_from(len).ok().and_then(|len| len.checked_add(HEAD)).ok_or(io::ErrorKind::OutOfMemory)?;
    let mut memory = SegmentMut::zeroed(whole)?;
    let (head, mut rest) = memory.bytes_mut().split_at_mut(HEAD);
    head.copy_from_slice(&len.to_le_bytes());
    for piece in pieces {
        let (place, behind) = rest.split_at_mut(piece.len());
        place.copy_from_slice(piece);
        rest = behind;
    }
    memory.seal()?.into_handle()
}

/// Bytes that another process has stored, to be read once.
#[derive(Debug)]
pub(crate) struct Stored {
    memory: Segment,
    at: usize,
    end: usize,
}

impl Stored {
    /// An error for whatever is no such memory, or claims more than is there.
    pub(crate) fn open(fd: OwnedHandle) -> io::Result<Self> {
        let there = usize::try_from(rustix::fs::fstat(&fd)?.st_size).unwrap_or(0);
        if there < HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let memory = Segment::adopt(fd, there)?;
        let head = memory.bytes().first_chunk().ok_or(io::ErrorKind::InvalidData)?;
        let len = usize::try_from(u64::from_le_bytes(*head)).ok().filter(|&len| len <= there - HEAD);
        let len = len.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { memory, at: HEAD, end: HEAD + len })
    }

    pub(crate) fn len(&self) -> u64 {
        (self.end - self.at) as u64
    }
}

impl Read for Stored {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = (&self.memory.bytes()[self.at..self.end]).read(buf)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    fn segment(bytes: &[u8]) -> OwnedFd {
        let mut memory = SegmentMut::zeroed(bytes.len()).unwrap();
        memory.bytes_mut().copy_from_slice(bytes);
        memory.seal().unwrap().into_handle().unwrap()
    }

    #[test]
    fn what_is_stored_is_read() {
        for pieces in [&[][..], &[&b"ab"[..], b"", b"cde"]] {
            let mut stored = Stored::open(store(pieces.iter().copied()).unwrap()).unwrap();
            assert_eq!(stored.len(), pieces.concat().len() as u64);
            let mut bytes = Vec::new();
            stored.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, pieces.concat());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = |fd: OwnedFd| assert!(Stored::open(fd).is_err());
        // Of a page there is more than one byte, where lengths are in pages.
        refused(segment(&(1_u64 << 20).to_le_bytes()));
        refused(segment(&[0xff; 5000]));
        refused(std::fs::File::open("/dev/zero").unwrap().into());
        refused(std::fs::File::open(std::env::current_exe().unwrap()).unwrap().into());
        refused(crate::sys::imp::pipe().unwrap().0);
    }
}
