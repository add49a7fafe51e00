//! The connection between a parent and a child: one end each of a named pipe.
//!
//! The parent's end never blocks. Windows has no readiness that could be waited for, only operations that are over at
//! some time; so a read of no bytes stands for "can be read", and what is written is copied and then on its way.

use std::io::{self, IoSlice, Read};
use std::os::windows::io::{AsHandle as _, BorrowedHandle, OwnedHandle};

use super::operation::Operation;
use super::pipe::{self, Purpose};
use crate::sys::{Interest, Receive};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pipe: OwnedHandle,
    reading: Operation,
    writing: Operation,
    /// The parent's end tells when it can be read. The child's blocks.
    watching: Option<Operation>,
}

/// The end that a child is going to have.
#[derive(Debug)]
pub(crate) struct Handover(pub(super) OwnedHandle);

/// How much is written at once. Less, and the two processes wake each other more often; more, and it does not stay in
/// the processor's cache between the copy and the system's.
const CHUNK: usize = 256 << 10;

/// A new connection. The parent's end does not block.
pub(crate) fn connection() -> io::Result<(Stream, Handover)> {
    let (parent, child) = pipe::pair(Purpose::Connection)?;
    let mut stream = Stream::blocking(parent)?;
    stream.watching = Some(Operation::new()?);
    Ok((stream, Handover(child)))
}

impl Stream {
    /// The end of a child.
    pub(super) fn blocking(pipe: OwnedHandle) -> io::Result<Self> {
        Ok(Self { pipe, reading: Operation::new()?, writing: Operation::new()?, watching: None })
    }

    /// Writes what the connection takes. After a `WouldBlock` the same bytes must be offered again: they are on their
    /// way, and are counted when they have arrived in the pipe.
    ///
    /// Handles cannot go with them yet.
    pub(crate) fn write(&self, pieces: &[IoSlice<'_>], handles: &[&OwnedHandle]) -> io::Result<usize> {
        if !handles.is_empty() {
            let message = "spawnsafe cannot pass open handles to another process on Windows yet";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        if self.watching.is_some() {
            return self.writing.write_on(&self.pipe, |buffer| gather(pieces, buffer));
        }
        match pieces.iter().find(|piece| !piece.is_empty()) {
            Some(long) if long.len() >= CHUNK => self.writing.write(&self.pipe, long),
            _ => {
                let mut together = Vec::new();
                gather(pieces, &mut together);
                self.writing.write(&self.pipe, &together)
            }
        }
    }

    /// Whether what is short can be written without waiting. A pipe does not tell: whoever writes waits for the reader.
    #[cfg(feature = "tracing")]
    pub(crate) fn has_room(&self, _: std::time::Instant) -> bool {
        true
    }

    /// Prepares for a frame of `len` bytes: a pipe is as large as it is.
    pub(crate) fn prepare_to_write(&self, _: usize) {}

    /// The events of which one is set when the connection is as wished; `None` if it already is.
    pub(super) fn events(&self, interest: Interest) -> io::Result<Option<Vec<BorrowedHandle<'_>>>> {
        let Some(watching) = &self.watching else { return Ok(None) };
        match watching.watch(&self.pipe) {
            Ok(()) => {}
            Err(error) if pipe::is_closed(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut events = vec![watching.event()];
        if interest == Interest::ReadOrWrite {
            if !self.writing.is_pending() {
                return Ok(None);
            }
            events.push(self.writing.event());
        }
        Ok(Some(events))
    }

    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.pipe.as_handle()
    }

    fn read_if_ready(&self, watching: &Operation, buf: &mut [u8]) -> io::Result<usize> {
        match pipe::available(&self.pipe)? {
            None => Ok(0),
            Some(0) => match watching.watch(&self.pipe) {
                Ok(()) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) if pipe::is_closed(&error) => Ok(0),
                Err(error) => Err(error),
            },
            // Nobody else reads, so that many are there, unless their writer has just ended.
            Some(count) => {
                let len = count.min(buf.len());
                match self.reading.read_now(&self.pipe, &mut buf[..len]) {
                    Err(error) if pipe::is_closed(&error) => Ok(0),
                    done => done,
                }
            }
        }
    }
}

/// Puts into `buffer` what is written at once.
fn gather(pieces: &[IoSlice<'_>], buffer: &mut Vec<u8>) {
    for piece in pieces {
        let room = CHUNK - buffer.len();
        buffer.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        match &self.watching {
            Some(watching) => self.read_if_ready(watching, buf),
            None => match self.reading.read(&self.pipe, buf) {
                Err(error) if pipe::is_closed(&error) => Ok(0),
                done => done,
            },
        }
    }
}

impl Receive for &Stream {}

impl Drop for Stream {
    fn drop(&mut self) {
        // Before the memory goes that the system reads from and writes to.
        self.writing.cancel(&self.pipe);
        self.watching.iter().for_each(|watching| watching.cancel(&self.pipe));
    }
}
