//! Waiting within a tokio runtime: the same descriptors, watched by its reactor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Process, Stream};

/// What a runtime watches for one child. The descriptors are duplicates, so that the child can be dropped first.
#[derive(Debug)]
pub(crate) struct AsyncWait {
    stream: AsyncFd<OwnedFd>,
    /// `None` if the process is known to have ended.
    process: Option<AsyncFd<OwnedFd>>,
}

impl AsyncWait {
    /// Must be called within a runtime whose I/O is enabled.
    // Newer versions deprecate `with_interest` because a type might close its descriptor early: `OwnedFd` does not.
    #[allow(deprecated)]
    pub(crate) fn new(process: &Process, stream: &Stream) -> io::Result<Self> {
        let stream = stream.as_fd().try_clone_to_owned()?;
        let process = process.pidfd().map(|fd| fd.try_clone_to_owned()).transpose()?;
        Ok(Self {
            stream: AsyncFd::with_interest(stream, Interest::READABLE)?,
            process: process.map(|fd| AsyncFd::with_interest(fd, Interest::READABLE)).transpose()?,
        })
    }

    /// Returns when something has happened since the last call, or at the deadline. The caller has read until the
    /// connection would block, so readiness is taken for seen.
    pub(crate) async fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        let event = async {
            let Some(process) = &self.process else { return Ok(()) };
            let mut stream = std::pin::pin!(self.stream.readable());
            let mut process = std::pin::pin!(process.readable());
            std::future::poll_fn(|context| {
                for ready in [stream.as_mut().poll(context), process.as_mut().poll(context)] {
                    if let std::task::Poll::Ready(guard) = ready {
                        return std::task::Poll::Ready(guard.map(|mut guard| guard.clear_ready()));
                    }
                }
                std::task::Poll::Pending
            })
            .await
        };
        match deadline {
            None => event.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), event).await.unwrap_or(Ok(())),
        }
    }
}
