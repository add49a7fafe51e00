//! Waiting within a tokio runtime: its reactor watches a queue of events, which can be read when there is one.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::kqueue::{Happened, Queue};
use super::process::await_status;
use super::{Process, Stream};

/// What a runtime watches for one child.
#[derive(Debug)]
pub(crate) struct AsyncWait {
    /// `None` if the process is known to have ended.
    queue: Option<AsyncFd<Queue>>,
    /// A duplicate, so that the child can be dropped first.
    _stream: Option<OwnedFd>,
}

impl AsyncWait {
    /// Must be called within a runtime whose I/O is enabled.
    // Newer versions deprecate `with_interest` because a type might close its descriptor early: `Queue` does not.
    #[allow(deprecated)]
    pub(crate) fn new(process: &Process, stream: Option<&Stream>) -> io::Result<Self> {
        let stream = stream.map(|stream| stream.as_fd().try_clone_to_owned()).transpose()?;
        let queue = Queue::new()?;
        stream.iter().try_for_each(|stream| queue.watch_read(stream))?;
        let still_runs = match process.running() {
            Some(pid) => queue.watch_process(pid)?,
            None => false,
        };
        if let (false, Some(pid)) = (still_runs, process.running()) {
            await_status(pid);
        }
        let queue = still_runs.then(|| AsyncFd::with_interest(queue, Interest::READABLE)).transpose()?;
        Ok(Self { queue, _stream: stream })
    }

    /// Returns when something has happened since the last call, or at the deadline. The caller has read until the
    /// connection would block.
    pub(crate) async fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let event = async {
            let mut guard = queue.readable().await?;
            for happened in queue.get_ref().wait(2, Some(Instant::now()))? {
                if let Happened::Ended(pid) = happened {
                    await_status(pid);
                }
            }
            guard.clear_ready();
            Ok(())
        };
        match deadline {
            None => event.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), event).await.unwrap_or(Ok(())),
        }
    }
}
