//! The connection between a parent and a child: a pair of stream sockets.
//!
//! A socket and not two pipes: it moves bulk data two to four times as fast, one descriptor serves both directions,
//! and descriptors can travel over it.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendAncillaryBuffer};

use crate::sys::imp::{SEND_FLAGS, socket_pair};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

/// The end that a child is going to have.
#[derive(Debug)]
pub(crate) struct Handover(pub(in crate::sys) OwnedFd);

/// What is asked for as the send buffer of a long frame; the system may grant less. Without it the two processes
/// wake each other for every 200 KiB.
const LARGE_BUFFER: usize = 1 << 20;

/// A new connection. The parent's end does not block.
pub(crate) fn connection() -> io::Result<(Stream, Handover)> {
    let (parent, child) = socket_pair()?;
    rustix::io::ioctl_fionbio(&parent, true)?;
    Ok((Stream(parent), Handover(child)))
}

impl Stream {
    pub(in crate::sys) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Writes what the connection takes. A closed connection is an error, never a signal.
    pub(crate) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(&self.0, pieces, &mut nothing, SEND_FLAGS)?)
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
        let (count, _) = rustix::net::recv(&self.0, buf, RecvFlags::empty())?;
        Ok(count)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(rustix::io::readv(&self.0, bufs)?)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
