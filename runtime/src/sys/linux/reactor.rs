//! Waiting within a tokio runtime: the same descriptors, watched by its reactor.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::Poll;
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[cfg(not(spawnsafe_datagram_queue))]
use super::PacketEnd;
use super::{Process, Stream};

/// What a runtime watches for one child. The descriptors are duplicates, so that the child can be dropped first.
#[derive(Debug)]
pub(crate) struct AsyncWait {
    /// `None` if nothing more is expected from it.
    stream: Option<AsyncFd<OwnedFd>>,
    /// `None` if the process is known to have ended.
    process: Option<AsyncFd<OwnedFd>>,
}

impl AsyncWait {
    /// Must be called within a runtime whose I/O is enabled.
    // Newer versions deprecate `with_interest` because a type might close its descriptor early: `OwnedFd` does not.
    #[allow(deprecated)]
    pub(crate) fn new(process: &Process, stream: Option<&Stream>) -> io::Result<Self> {
        let stream = stream.map(|stream| stream.as_fd().try_clone_to_owned()).transpose()?;
        let process = process.pidfd().map(|fd| fd.try_clone_to_owned()).transpose()?;
        Ok(Self {
            stream: stream.map(|fd| AsyncFd::with_interest(fd, Interest::READABLE)).transpose()?,
            process: process.map(|fd| AsyncFd::with_interest(fd, Interest::READABLE)).transpose()?,
        })
    }

    /// Returns when something has happened since the last call, or at the deadline. The caller has read until the
    /// connection would block, so readiness is taken for seen.
    pub(crate) async fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        let event = poll_fn(|context| {
            // Not known to the reactor: it has ended.
            let Some(process) = &self.process else { return Poll::Ready(Ok(())) };
            for fd in self.stream.iter().chain([process]) {
                if let Poll::Ready(ready) = fd.poll_read_ready(context) {
                    return Poll::Ready(ready.map(|mut guard| guard.clear_ready()));
                }
            }
            Poll::Pending
        });
        match deadline {
            None => event.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), event).await.unwrap_or(Ok(())),
        }
    }
}

/// What a runtime watches of one end of a queue of packets.
#[cfg(not(spawnsafe_datagram_queue))]
#[derive(Debug)]
pub(crate) struct AsyncEnd {
    fd: AsyncFd<OwnedFd>,
    interest: Interest,
}

#[cfg(not(spawnsafe_datagram_queue))]
impl AsyncEnd {
    /// For the end to send from. Must be called within a runtime whose I/O is enabled.
    pub(crate) fn to_send(end: &PacketEnd) -> io::Result<Self> {
        Self::new(end, Interest::WRITABLE)
    }

    /// For the end to receive from.
    pub(crate) fn to_receive(end: &PacketEnd) -> io::Result<Self> {
        Self::new(end, Interest::READABLE)
    }

    // See `AsyncWait`.
    #[allow(deprecated)]
    fn new(end: &PacketEnd, interest: Interest) -> io::Result<Self> {
        Ok(Self { fd: AsyncFd::with_interest(end.duplicate()?, interest)?, interest })
    }

    /// Calls `attempt` until it gives something else than `WouldBlock`, each time when that may be. It is not called
    /// again once this is dropped.
    pub(crate) async fn when_ready<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.fd.async_io(self.interest, |_| attempt()).await
    }
}
