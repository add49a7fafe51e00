//! The connection between a parent and a child: a pair of stream sockets.
//!
//! A socket and not two pipes: it moves bulk data two to four times as fast, one descriptor serves both directions,
//! and descriptors can travel over it.

use std::borrow::Cow;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(feature = "tracing")]
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
#[cfg(feature = "tracing")]
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
#[cfg(feature = "tracing")]
use rustix::net::SendFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SocketType,
};

use super::anchor::{ANCHORED, anchors};
use crate::sys::imp::{RECEIVE_FLAGS, SEND_FLAGS, protect, socket_pair};
use crate::sys::{Receive, Received};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    fd: OwnedFd,
    /// Open as long as that: see `anchor`.
    _anchor: Option<OwnedFd>,
    /// What was [told](Self::tell) and is still to be written, before anything else.
    #[cfg(feature = "tracing")]
    behind: Mutex<Vec<u8>>,
}

/// The end that a child is going to have.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(in crate::sys) fd: OwnedFd,
    pub(in crate::sys) anchor: Option<OwnedFd>,
}

/// What is asked for as the send buffer of a long frame; the system may grant less. Without it the two processes
/// wake each other for every 200 KiB.
const LARGE_BUFFER: usize = 1 << 20;

/// How much goes through the connection at once: macOS refuses a call with more than 2 GiB, and Linux shortens it.
const AT_ONCE: usize = 1 << 30;

/// What descriptors take beside the bytes: as many as Linux allows for one message.
const ANCILLARY_SPACE: usize = rustix::cmsg_space!(ScmRights(253));

/// A new connection. The parent's end does not block.
pub(crate) fn connection() -> io::Result<(Stream, Handover)> {
    let (parent, child) = socket_pair(SocketType::STREAM)?;
    rustix::io::ioctl_fionbio(&parent, true)?;
    let anchors = if ANCHORED { Some(anchors(&parent, &child)?) } else { None };
    let (of_parent, of_child) = anchors.unzip();
    Ok((Stream::new(parent, of_parent), Handover { fd: child, anchor: of_child }))
}

impl Stream {
    pub(in crate::sys) fn new(fd: OwnedFd, anchor: Option<OwnedFd>) -> Self {
        Self {
            fd,
            _anchor: anchor,
            #[cfg(feature = "tracing")]
            behind: Mutex::default(),
        }
    }

    /// Writes what the connection takes, and sends copies of the handles, at most 253, with the first of these bytes. A
    /// closed connection is an error, never a signal.
    pub(crate) fn write(&self, pieces: &[IoSlice<'_>], handles: &[&OwnedFd]) -> io::Result<usize> {
        #[cfg(feature = "tracing")]
        self.catch_up(&mut self.behind(), SEND_FLAGS)?;
        let pieces = &at_most(AT_ONCE, pieces);
        if handles.is_empty() {
            let mut nothing = SendAncillaryBuffer::default();
            return Ok(rustix::net::sendmsg(&self.fd, pieces, &mut nothing, SEND_FLAGS)?);
        }
        let handles: Vec<BorrowedFd<'_>> = handles.iter().map(|handle| handle.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); ANCILLARY_SPACE];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&handles)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(rustix::net::sendmsg(&self.fd, pieces, &mut ancillary, SEND_FLAGS)?)
    }

    /// Whether something can be [told](Self::tell) without waiting; waits for that until the deadline.
    #[cfg(feature = "tracing")]
    pub(crate) fn has_room(&self, deadline: Instant) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match rustix::event::poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
                Err(Errno::INTR) => continue,
                Ok(1..) => {}
                _ => return false,
            }
            // A connection that is closed has room as well: writing tells.
            match self.catch_up(&mut self.behind(), SEND_FLAGS | SendFlags::DONTWAIT) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return true,
            }
        }
    }

    /// Writes all of it, which is short, without waiting for the other side: what the connection does not take yet goes before
    /// whatever is written next. Of a child only. A system may take less than what there [is room](Self::has_room) for.
    #[cfg(feature = "tracing")]
    pub(crate) fn tell(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut behind = self.behind();
        pieces.iter().for_each(|piece| behind.extend_from_slice(piece));
        match self.catch_up(&mut behind, SEND_FLAGS | SendFlags::DONTWAIT) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(pieces.iter().map(|piece| piece.len()).sum()),
        }
    }

    /// Writes what was told and is not written yet.
    #[cfg(feature = "tracing")]
    fn catch_up(&self, behind: &mut Vec<u8>, flags: SendFlags) -> io::Result<()> {
        while !behind.is_empty() {
            match rustix::net::send(&self.fd, behind, flags) {
                Ok(count) => drop(behind.drain(..count)),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    #[cfg(feature = "tracing")]
    pub(super) fn behind(&self) -> MutexGuard<'_, Vec<u8>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something has come to be read, or does so within this time.
    pub(crate) fn comes_within(&self, time: Duration) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        // Not being sure is no harm.
        rustix::event::poll(&mut fds, Timespec::try_from(time).ok().as_ref()).is_ok_and(|count| count > 0)
    }

    /// Prepares for a frame of `len` bytes.
    pub(crate) fn prepare_to_write(&self, len: usize) {
        if len > LARGE_BUFFER / 8 {
            // A smaller buffer is slower, and nothing else.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(&self.fd, LARGE_BUFFER);
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(AT_ONCE);
        let (count, _) = rustix::net::recv(&self.fd, &mut buf[..len], RecvFlags::empty())?;
        Ok(count)
    }
}

impl Receive for &Stream {
    fn receive(&mut self, _: bool, buf: &mut [u8], handles: &mut Vec<OwnedFd>) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_SPACE];
        let mut receive = |space| {
            let mut ancillary = RecvAncillaryBuffer::new(space);
            let message = rustix::net::recvmsg(&self.fd, &mut [IoSliceMut::new(buf)], &mut ancillary, RECEIVE_FLAGS)?;
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    handles.extend(fds);
                }
            }
            Ok((message.bytes, message.flags))
        };
        // Where there is no room for all of them in this process's table, Linux gives some and closes the others. macOS closes
        // all, and that is an error of the call; the bytes stay.
        let (received, lost_all) = match receive(&mut space) {
            Err(Errno::MSGSIZE) => (receive(&mut [])?, true),
            received => (received?, false),
        };
        protect(handles)?;
        let lost_handles = lost_all || received.1.contains(ReturnFlags::CTRUNC);
        Ok(Received { count: received.0, lost_handles })
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The first pieces, no longer than that in all.
fn at_most<'a>(limit: usize, pieces: &'a [IoSlice<'a>]) -> Cow<'a, [IoSlice<'a>]> {
    let mut room = limit;
    for (index, piece) in pieces.iter().enumerate() {
        match room.checked_sub(piece.len()) {
            Some(left) => room = left,
            None => {
                let mut fitting: Vec<_> = pieces[..index].to_vec();
                fitting.push(IoSlice::new(&piece[..room]));
                return fitting.into();
            }
        }
    }
    pieces.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_system_takes_is_offered_at_once() {
        let pieces = [&b"ab"[..], b"", b"cde", b"f"].map(IoSlice::new);
        for limit in 1..8 {
            let offered: Vec<u8> = at_most(limit, &pieces).iter().flat_map(|piece| piece.to_vec()).collect();
            assert_eq!(offered, b"abcdef"[..limit.min(6)]);
        }
    }
}
