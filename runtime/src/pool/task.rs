//! One task that was submitted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::common::{Common, Seat};
use super::mailbox::{Answer, Mailbox, Until};
use super::texts;
use crate::error::Error;
use crate::handle::{self, Unpack};
use crate::link;

/// A call that was submitted to a [`Pool`](crate::Pool).
///
/// [`join`](Task::join) waits for its result. A task that is dropped runs all the same, and nobody learns how it went;
/// [`cancel`](Task::cancel) stops it. It may outlive its pool: the tasks that have not ended by then end with
/// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
pub struct Task<R> {
    common: Arc<Common>,
    mailbox: Arc<Mailbox>,
    /// That of the worker which was given the task directly.
    seat: Option<Arc<Seat>>,
    entry: &'static str,
    unpack: Unpack<R>,
    is_taken: bool,
}

impl<R> Task<R> {
    pub(super) fn new(
        common: Arc<Common>,
        mailbox: Arc<Mailbox>,
        seat: Option<Arc<Seat>>,
        entry: &'static str,
        unpack: Unpack<R>,
    ) -> Self {
        Self { common, mailbox, seat, entry, unpack, is_taken: false }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Whatever has kept the entry from returning a value: see [`ErrorKind`](crate::ErrorKind).
    pub fn join(mut self) -> Result<R, Error> {
        self.collect(Until::Ever).map(|value| value.expect("without a time limit it waits for the answer"))
    }

    /// As [`join`](Task::join), for at most this long: `Ok(None)` if the time passes first. The task runs on, and can be
    /// asked again.
    ///
    /// # Errors
    /// As [`join`](Task::join). [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the result was already taken.
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<Option<R>, Error> {
        // A time that no clock can express is for ever.
        self.collect(Instant::now().checked_add(timeout).map_or(Until::Ever, Until::Time))
    }

    /// The result if the task has ended, `Ok(None)` if not. Never waits.
    ///
    /// # Errors
    /// As [`join`](Task::join). [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the result was already taken.
    pub fn try_join(&mut self) -> Result<Option<R>, Error> {
        self.collect(Until::Now)
    }

    /// Whether the task has ended, in whichever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_taken || self.mailbox.has_some()
    }

    /// Stops the task: takes it out of the queue, or kills the worker that runs it, which is replaced. Joining it then
    /// gives [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), or the result if that was faster. Tasks that waited
    /// behind it go to another worker.
    pub fn cancel(&mut self) {
        self.mailbox.cancel();
        match self.common.withdraw(&self.mailbox) {
            Some(job) => {
                self.common.deliver(vec![job.fails(texts::cancelled(None))]);
            }
            None if self.is_finished() => {}
            None => {
                self.common.cancellations.fetch_add(1, Ordering::AcqRel);
                self.common.wake_all();
            }
        }
    }

    fn collect(&mut self, until: Until) -> Result<Option<R>, Error> {
        if self.is_taken {
            return Err(handle::already_joined().in_entry(self.entry));
        }
        if let Some(seat) = self.seat.take_if(|_| !matches!(until, Until::Now)) {
            self.common.attend(&seat, &self.mailbox, until);
        }
        let mut letters = Vec::new();
        self.mailbox.collect(&mut letters, until);
        match letters.pop() {
            None => Ok(None),
            Some((_, answer)) => {
                self.is_taken = true;
                value(answer, self.unpack).map(Some)
            }
        }
    }
}

/// Rebuilds what a task has returned.
pub(super) fn value<R>(answer: Answer, unpack: Unpack<R>) -> Result<R, Error> {
    let mut reply = answer?;
    let blobs = std::mem::take(&mut reply.blobs).into_vec();
    let attachments = std::mem::take(&mut reply.attachments).into_vec();
    let mut unpacker = link::unpacker(reply.value(), blobs).with_attachments(attachments);
    unpack(&mut unpacker)
        .and_then(|value| unpacker.finish().map(|()| value))
        .map_err(|error| handle::undecodable(&error).in_entry(reply.entry.name()))
}

impl<R> fmt::Debug for Task<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("entry", &self.entry)
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
