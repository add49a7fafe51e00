//! The connection between a parent and a child: a pair of stream sockets.
//!
//! A socket and not two pipes: it moves bulk data two to four times as fast, one descriptor serves both directions,
//! and descriptors can travel over it.

use std::borrow::Cow;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendAncillaryBuffer};

use crate::sys::imp::{SEND_FLAGS, socket_pair};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

/// The end that a child is going to have.
#[derive(Debug)]
pub(crate) struct Handover(pub(super) OwnedFd);

/// What is asked for as the send buffer of a long frame; the system may grant less. Without it the two processes
/// wake each other for every 200 KiB.
const LARGE_BUFFER: usize = 1 << 20;

/// How much goes through the connection at once: macOS refuses a call with more than 2 GiB, and Linux shortens it.
const AT_ONCE: usize = 1 << 30;

/// A new connection. The parent's end does not block.
pub(crate) fn connection() -> io::Result<(Stream, Handover)> {
    let (parent, child) = socket_pair()?;
    rustix::io::ioctl_fionbio(&parent, true)?;
    Ok((Stream(parent), Handover(child)))
}

impl Stream {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Writes what the connection takes. A closed connection is an error, never a signal.
    pub(crate) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(&self.0, &at_most(AT_ONCE, pieces), &mut nothing, SEND_FLAGS)?)
    }

    /// Prepares for a frame of `len` bytes.
    pub(crate) fn prepare_to_write(&self, len: usize) {
        if len > LARGE_BUFFER / 8 {
            // A smaller buffer is slower, and nothing else.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(&self.0, LARGE_BUFFER);
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(AT_ONCE);
        let (count, _) = rustix::net::recv(&self.0, &mut buf[..len], RecvFlags::empty())?;
        Ok(count)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
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
