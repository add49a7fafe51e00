//! For tests: a connection within one process, and handles of which it is known whether they are closed.

use std::io;
use std::os::fd::OwnedFd;

use super::{Stream, connection, is_cut};
use crate::sys::imp::pipe;

/// Both ends of a connection. None of them blocks.
pub(crate) fn both_ends() -> io::Result<(Stream, Stream)> {
    let (parent, child) = connection()?;
    rustix::io::ioctl_fionbio(&child.fd, true)?;
    Ok((parent, Stream::new(child.fd, child.anchor)))
}

/// Both ends as a parent and its child have them: the child's blocks.
pub(crate) fn parent_and_child() -> io::Result<(Stream, Stream)> {
    let (parent, child) = connection()?;
    // macOS has a small one.
    rustix::net::sockopt::set_socket_send_buffer_size(&child.fd, 8192)?;
    Ok((parent, Stream::new(child.fd, child.anchor)))
}

/// Whether something that was told is still to be written.
#[cfg(feature = "tracing")]
pub(crate) fn has_more_to_write(stream: &Stream) -> bool {
    !stream.behind().is_empty()
}

/// Tells whether a handle and all its copies are closed.
#[derive(Debug)]
pub(crate) struct Canary(OwnedFd);

/// A handle that is watched.
pub(crate) fn canary() -> io::Result<(OwnedFd, Canary)> {
    let (read, write) = pipe()?;
    Ok((write, Canary(read)))
}

impl Canary {
    pub(crate) fn is_closed(&self) -> bool {
        // A child of another test may have a copy until it executes its program.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !is_cut(&self.0).unwrap() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        is_cut(&self.0).unwrap()
    }

    pub(crate) fn is_open(&self) -> bool {
        !is_cut(&self.0).unwrap()
    }
}
