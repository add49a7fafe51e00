//! The connection between a parent and a child: one end each of a named pipe.
//!
//! The parent's end never blocks. Windows has no readiness that could be waited for, only operations that are over at
//! some time; so a read of no bytes stands for "can be read", and what is written is copied and then on its way.

use std::io::{self, IoSlice, Read};
use std::os::windows::io::{AsHandle as _, BorrowedHandle, OwnedHandle};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::AnyHandle;
use super::operation::Operation;
use super::passing::{Arriving, Passing};
use super::pipe::{self, Purpose};
use crate::sys::{Interest, Receive, Received};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pipe: OwnedHandle,
    reading: Operation,
    pub(super) writing: Operation,
    /// The parent's end tells when it can be read. The child's blocks.
    watching: Option<Operation>,
    passing: Arc<Mutex<Passing>>,
    arriving: Mutex<Arriving>,
    /// How much of what is being written stands before the caller's bytes.
    ahead: AtomicUsize,
    /// Whether sockets have been sent, which the other side has to ask for.
    has_sent_sockets: AtomicBool,
}

/// The end that a child is going to have.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(super) pipe: OwnedHandle,
    /// What the child is going to inherit; and then the child, for the other end.
    pub(super) passing: Arc<Mutex<Passing>>,
}

/// How much is written at once. Less, and the two processes wake each other more often; more, and it does not stay in
/// the processor's cache between the copy and the system's.
const CHUNK: usize = 256 << 10;

/// A new connection. The parent's end does not block.
pub(crate) fn connection() -> io::Result<(Stream, Handover)> {
    let (parent, child) = pipe::pair(Purpose::Connection)?;
    let passing = Arc::new(Mutex::new(Passing::Unborn(Vec::new())));
    let stream = Stream::polled(parent, Arc::clone(&passing))?;
    Ok((stream, Handover { pipe: child, passing }))
}

impl Stream {
    /// The end of a child.
    pub(super) fn blocking(pipe: OwnedHandle) -> io::Result<Self> {
        Self::new(pipe, None, Arc::new(Mutex::new(Passing::Parent)))
    }

    /// An end that does not block.
    pub(super) fn polled(pipe: OwnedHandle, passing: Arc<Mutex<Passing>>) -> io::Result<Self> {
        Self::new(pipe, Some(Operation::new()?), passing)
    }

    fn new(pipe: OwnedHandle, watching: Option<Operation>, passing: Arc<Mutex<Passing>>) -> io::Result<Self> {
        let (reading, writing) = (Operation::new()?, Operation::new()?);
        let (arriving, ahead, has_sent_sockets) = (Mutex::default(), AtomicUsize::new(0), AtomicBool::new(false));
        Ok(Self { pipe, reading, writing, watching, passing, arriving, ahead, has_sent_sockets })
    }

    /// Writes what the connection takes. After a `WouldBlock` the same bytes must be offered again: they are on their
    /// way, and are counted when they have arrived in the pipe.
    ///
    /// Copies of the handles go to the other process with the first of these bytes, at most 253.
    pub(crate) fn write(&self, pieces: &[IoSlice<'_>], handles: &[&AnyHandle]) -> io::Result<usize> {
        if self.watching.is_some() {
            let count = self.writing.write_on(&self.pipe, |buffer| {
                buffer.extend(self.block(pieces, handles)?);
                self.ahead.store(buffer.len(), Ordering::Relaxed);
                gather(pieces, buffer);
                Ok(())
            })?;
            return written_behind(self.ahead.load(Ordering::Relaxed), count);
        }
        match pieces.iter().find(|piece| !piece.is_empty()) {
            Some(long) if long.len() >= CHUNK && handles.is_empty() => self.writing.write(&self.pipe, long),
            _ => {
                let mut together = self.block(pieces, handles)?;
                let ahead = together.len();
                gather(pieces, &mut together);
                let count = written_behind(ahead, self.writing.write(&self.pipe, &together)?)?;
                if ahead > 0 {
                    // The parent fetches what it has read of before it reads on, and can do so only as long as this
                    // process lives; sockets as well.
                    pipe::await_reader(&self.pipe);
                }
                Ok(count)
            }
        }
    }

    /// What tells the other side of handles, if there are any. Where more of them are to come, whoever writes offers a
    /// single byte.
    fn block(&self, pieces: &[IoSlice<'_>], handles: &[&AnyHandle]) -> io::Result<Vec<u8>> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        self.has_sent_sockets.fetch_or(handles.iter().any(|handle| handle.socket().is_some()), Ordering::Relaxed);
        let more = pieces.iter().map(|piece| piece.len()).sum::<usize>() == 1;
        lock(&self.passing).send(handles, more)
    }

    /// Waits until the other side has all sockets that it was sent.
    pub(super) fn await_sockets(&self) {
        if self.has_sent_sockets.load(Ordering::Relaxed) {
            pipe::await_reader(&self.pipe);
        }
    }

    /// Whether something can be [told](Self::tell) without waiting; waits for that until the deadline. A pipe does not tell
    /// whether it has room: there is some when it has taken what it was told before.
    #[cfg(feature = "tracing")]
    pub(crate) fn has_room(&self, deadline: std::time::Instant) -> bool {
        self.writing.is_idle_by(&self.pipe, deadline)
    }

    /// Writes all of it, which is short, without waiting for the other side: what the pipe does not take yet goes before
    /// whatever is written next. Of a child only, and without waiting only if it [has room](Self::has_room).
    #[cfg(feature = "tracing")]
    pub(crate) fn tell(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        let count = bytes.len();
        self.writing.write_behind(&self.pipe, bytes).map(|()| count)
    }

    /// Whether something has come to be read, or does so within this time. Nothing here depends on it.
    pub(crate) fn comes_within(&self, _: std::time::Duration) -> bool {
        true
    }

    /// Prepares for a frame of `len` bytes: a pipe is as large as it is.
    pub(crate) fn prepare_to_write(&self, _: usize) {}

    /// The events of which one is set when the connection is as wished; `None` if it already is.
    pub(super) fn events(&self, interest: Interest) -> io::Result<Option<Vec<BorrowedHandle<'_>>>> {
        let Some(watching) = &self.watching else { return Ok(None) };
        let arriving = lock(&self.arriving);
        // What has to be fetched first sets the same event, and whatever is in the pipe does not.
        if !arriving.is_fetching() {
            match watching.watch(&self.pipe) {
                Ok(()) => {}
                Err(error) if pipe::is_closed(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        drop(arriving);
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

    /// The event that tells of the connection, for somebody else to set: what is in the pipe does not do so from now on.
    fn bell(&self) -> io::Result<OwnedHandle> {
        let watching = self.watching.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
        watching.cancel(&self.pipe);
        watching.event().try_clone_to_owned()
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

/// How many of the caller's bytes were written, if those ahead of them were.
fn written_behind(ahead: usize, count: usize) -> io::Result<usize> {
    count.checked_sub(ahead).filter(|&count| count > 0 || ahead == 0).ok_or_else(|| io::ErrorKind::WriteZero.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts into `buffer` what is written at once.
fn gather(pieces: &[IoSlice<'_>], buffer: &mut Vec<u8>) {
    for piece in pieces {
        let room = CHUNK.saturating_sub(buffer.len());
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

impl Receive for &Stream {
    fn receive(&mut self, first: bool, buf: &mut [u8], handles: &mut Vec<AnyHandle>) -> io::Result<Received> {
        let mut stream: &Stream = self;
        let mut arriving = lock(&self.arriving);
        let arrived = arriving.receive(first, buf, &lock(&self.passing), |buf| stream.read(buf), || self.bell())?;
        handles.extend(arrived.handles);
        Ok(Received { count: arrived.count, lost_handles: arrived.lost })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Before the memory goes that the system reads from and writes to.
        self.writing.cancel(&self.pipe);
        self.watching.iter().for_each(|watching| watching.cancel(&self.pipe));
    }
}

#[cfg(test)]
mod tests {
    use std::os::windows::io::IntoRawHandle as _;
    use std::time::{Duration, Instant};

    use super::super::handle::{is_signalled, this_process, wait_for_one_of};
    use super::*;

    #[test]
    fn a_child_that_does_not_describe_its_sockets_holds_nobody_up() {
        let (parent, handover) = connection().unwrap();
        *handover.passing.lock().unwrap() = Passing::Child(this_process());
        let (theirs, ours) = pipe::pair(Purpose::Watched).unwrap();
        let desk = theirs.into_raw_handle().addr() as u32;
        // One socket, to be asked for there; and what it goes with.
        let block = [&[0xFE, 0, 1, 0][..], &desk.to_le_bytes(), &[0; 8], b"xyz"].concat();
        let child = Operation::new().unwrap();
        child.write(&handover.pipe, &block).unwrap();
        let (mut buf, mut handles) = ([0; 100], Vec::new());
        let mut receive = || (&parent).receive(true, &mut buf, &mut handles);
        let is_ready = || parent.events(Interest::Read).unwrap().is_none_or(|events| events.iter().any(is_signalled));
        for _ in 0..3 {
            assert_eq!(receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            // Although there is something in the pipe.
            assert!(!is_ready());
        }
        let events = parent.events(Interest::Read).unwrap().unwrap();
        drop(ours);
        wait_for_one_of(&events, Some(Instant::now() + Duration::from_secs(60))).unwrap();
        assert!(is_ready());
        assert_eq!(receive().unwrap(), Received { count: 3, lost_handles: true });
        assert!(!is_ready());
        child.write(&handover.pipe, b"more").unwrap();
        wait_for_one_of(&parent.events(Interest::Read).unwrap().unwrap(), None).unwrap();
        assert_eq!(receive().unwrap().count, 4);
        assert!(handles.is_empty());
    }
}
