//! A frame on its way in.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use crate::sys::{self, OwnedHandle, Receive};
use crate::wire::{ATTACHMENTS_AT_ONCE, Arrived, Attachment, BLOB_HEADER_LEN, FrameError, HEADER_LEN, Header, Kind};

/// What is allocated at once for a piece, however long it claims to be. Beyond it memory grows with what arrives.
const FIRST_ALLOCATION: usize = 64 << 20;

/// A frame that has arrived.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) items: Vec<u8>,
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) attachments: Vec<Arrived>,
}

/// How far the current frame is.
#[derive(Debug)]
pub(crate) enum Progress {
    /// All of it is here.
    Complete(Frame),
    /// More is to come, and is not here yet.
    Pending,
    /// The budget is used up; more may be here.
    More,
    /// The other side has closed the connection. `partial` if it did so within a frame.
    Closed { partial: bool },
}

/// What is there of one frame.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    head: Vec<u8>,
    /// What has come with it; `None` where this process could not be given it.
    handles: Vec<Option<OwnedHandle>>,
    header: Option<Header>,
    items: Piece,
    blobs: Vec<Vec<u8>>,
    blob_head: Vec<u8>,
    blob: Option<Piece>,
}

/// Some bytes whose number is known.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    len: usize,
}

/// How an attempt to read one part of a frame ended.
enum Part {
    Complete,
    Pending,
    More,
    Closed,
}

/// Why there will be no frame.
#[derive(Debug)]
pub(crate) enum InboxError {
    Frame(FrameError),
    Io(io::Error),
}

impl fmt::Display for InboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InboxError::Frame(error) => error.fmt(f),
            InboxError::Io(error) => error.fmt(f),
        }
    }
}

macro_rules! complete {
    ($self:ident, $part:expr) => {
        match $part {
            Part::Complete => {}
            Part::Pending => return Ok(Progress::Pending),
            Part::More => return Ok(Progress::More),
            Part::Closed => return Ok(Progress::Closed { partial: $self.is_partial() }),
        }
    };
}

impl Inbox {
    /// Reads until a frame is complete, the source would block or ends, or `budget` bytes are read. Never reads beyond
    /// the frame.
    pub(crate) fn pump(&mut self, source: &mut (impl Receive + ?Sized), budget: usize) -> Result<Progress, InboxError> {
        let mut budget = budget;
        let budget = &mut budget;
        complete!(self, self.fill_head(source, budget)?);
        let header = match self.header {
            Some(header) => header,
            None => {
                let bytes = self.head.first_chunk().expect("it was filled");
                let header = Header::decode(bytes).map_err(InboxError::Frame)?;
                self.check_handles(&header).map_err(InboxError::Frame)?;
                self.items = Piece::of(header.len)?;
                *self.header.insert(header)
            }
        };
        complete!(self, self.items.fill(source, budget)?);
        while self.blobs.len() < usize::from(header.blobs) {
            complete!(self, self.fill_blob(source, budget)?);
        }
        let done = std::mem::take(self);
        let attachments = if done.handles.is_empty() {
            // As nearly always: what makes them is not even looked for.
            Vec::new()
        } else {
            done.handles.into_iter().map(|handle| Some(Attachment::new(Arc::new(handle?)))).collect()
        };
        Ok(Progress::Complete(Frame { kind: header.kind, items: done.items.bytes, blobs: done.blobs, attachments }))
    }

    /// Reads the header, and the handles that come with its bytes. All of a frame's do.
    fn fill_head(&mut self, source: &mut (impl Receive + ?Sized), budget: &mut usize) -> Result<Part, InboxError> {
        while self.head.len() < HEADER_LEN {
            let mut bytes = [0; HEADER_LEN];
            let missing = (HEADER_LEN - self.head.len()).min(*budget);
            if missing == 0 {
                return Ok(Part::More);
            }
            let mut handles = Vec::new();
            match source.receive(self.head.is_empty(), &mut bytes[..missing], &mut handles) {
                Ok(received) => {
                    let before = self.handles.len();
                    if !handles.is_empty() {
                        self.handles.extend(handles.into_iter().map(Some));
                    }
                    if received.lost_handles {
                        // Each message but the last has as many as it can have.
                        self.handles.resize_with(before + ATTACHMENTS_AT_ONCE, || None);
                    }
                    if received.count == 0 {
                        return Ok(Part::Closed);
                    }
                    *budget -= received.count;
                    self.head.extend_from_slice(&bytes[..received.count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return ended(error),
            }
        }
        Ok(Part::Complete)
    }

    /// Whether as many have come as the header says. Those that were lost may not have been there.
    fn check_handles(&mut self, header: &Header) -> Result<(), FrameError> {
        let announced = usize::from(header.attachments);
        while self.handles.len() > announced && matches!(self.handles.last(), Some(None)) {
            self.handles.pop();
        }
        let arrived = self.handles.len();
        if arrived == announced { Ok(()) } else { Err(FrameError::Attachments { announced, arrived }) }
    }

    /// Whether some of a frame has arrived.
    pub(crate) fn is_partial(&self) -> bool {
        !self.head.is_empty()
    }

    fn fill_blob(&mut self, source: &mut (impl Read + ?Sized), budget: &mut usize) -> Result<Part, InboxError> {
        if self.blob.is_none() {
            match fill(source, &mut self.blob_head, BLOB_HEADER_LEN, budget)? {
                Part::Complete => {}
                part => return Ok(part),
            }
            let len = *self.blob_head.first_chunk().expect("it was filled");
            self.blob = Some(Piece::of(Header::check_len(u64::from_le_bytes(len)).map_err(InboxError::Frame)?)?);
        }
        let Some(blob) = &mut self.blob else { unreachable!("it was just set") };
        let part = blob.fill(source, budget)?;
        if let Part::Complete = part {
            self.blobs.extend(self.blob.take().map(|blob| blob.bytes));
            self.blob_head.clear();
        }
        Ok(part)
    }
}

impl Piece {
    fn of(len: u64) -> Result<Self, InboxError> {
        let len = usize::try_from(len).map_err(|_| InboxError::Frame(FrameError::TooLong(len)))?;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(len.min(FIRST_ALLOCATION))
            .map_err(|_| InboxError::Io(io::ErrorKind::OutOfMemory.into()))?;
        let start = bytes.as_ptr();
        sys::advise_large(start..start.wrapping_add(bytes.capacity()));
        Ok(Self { bytes, len })
    }

    fn fill(&mut self, source: &mut (impl Read + ?Sized), budget: &mut usize) -> Result<Part, InboxError> {
        fill(source, &mut self.bytes, self.len, budget)
    }
}

/// Reads into `bytes` until it has `len` of them.
fn fill(
    source: &mut (impl Read + ?Sized),
    bytes: &mut Vec<u8>,
    len: usize,
    budget: &mut usize,
) -> Result<Part, InboxError> {
    let missing = len - bytes.len();
    if missing == 0 {
        return Ok(Part::Complete);
    }
    let wanted = missing.min(*budget);
    let before = bytes.len();
    // What was read before an error stays in `bytes`; std retries where a signal interrupts.
    let read = Read::take(&mut *source, wanted as u64).read_to_end(bytes);
    *budget -= bytes.len() - before;
    match read {
        Ok(_) if bytes.len() == len => Ok(Part::Complete),
        Ok(_) if *budget == 0 => Ok(Part::More),
        Ok(_) => Ok(Part::Closed),
        Err(error) => ended(error),
    }
}

/// What it means for a part that reading has failed.
fn ended(error: io::Error) -> Result<Part, InboxError> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Part::Pending),
        // The other side was killed with bytes of ours unread.
        io::ErrorKind::ConnectionReset => Ok(Part::Closed),
        _ => Err(InboxError::Io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(blobs: u16, len: u64) -> Header {
        Header { kind: Kind::Value, blobs, attachments: 0, len }
    }

    fn pump(bytes: &[u8]) -> Result<Progress, InboxError> {
        Inbox::default().pump(&mut &bytes[..], usize::MAX)
    }

    #[test]
    fn ends_are_told_apart() {
        assert!(matches!(pump(b""), Ok(Progress::Closed { partial: false })));
        assert!(matches!(pump(b"spw"), Ok(Progress::Closed { partial: true })));
        let header = header(0, 5).encode();
        assert!(matches!(pump(&header), Ok(Progress::Closed { partial: true })));
    }

    #[test]
    fn a_budget_is_kept() {
        let mut frame = header(0, 100).encode().to_vec();
        frame.resize(HEADER_LEN + 100, 7);
        let (mut inbox, mut source) = (Inbox::default(), &frame[..]);
        for left in [76, 36] {
            assert!(matches!(inbox.pump(&mut source, 40), Ok(Progress::More)));
            assert_eq!(source.len(), left);
        }
        assert!(matches!(inbox.pump(&mut source, 40), Ok(Progress::Complete(_))));
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(matches!(pump(b"HTTP/1.1 200 OK\r\n"), Err(InboxError::Frame(FrameError::NotAFrame(_)))));
        let mut header = header(0, 5).encode();
        header[3] = 9;
        assert!(matches!(pump(&header), Err(InboxError::Frame(FrameError::Version(9)))));
    }

    #[test]
    fn a_claim_of_a_huge_length_allocates_little_and_ends_with_the_bytes() {
        let huge = header(1, crate::wire::MAX_FRAME).encode();
        assert!(matches!(pump(&huge), Ok(Progress::Closed { partial: true })));
        let header = header(0, u64::MAX).encode();
        assert!(matches!(pump(&header), Err(InboxError::Frame(FrameError::TooLong(_)))));
    }
}
