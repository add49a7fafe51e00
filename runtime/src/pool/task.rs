//! One task that was submitted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::common::{Common, Seat};
use super::letters::Letter;
use super::mailbox::{Mailbox, Until};
use super::texts;
use crate::error::Error;
use crate::handle::{self, Unpack};

/// A call that was submitted to a [`Pool`](crate::Pool).
///
/// [`join`](Task::join) waits for its result, and so does `.await`, in any executor. A task that is dropped runs all the
/// same, and nobody learns how it went; [`cancel`](Task::cancel) stops it. It may outlive its pool: the tasks that have not
/// ended by then end with [`ErrorKind::Closed`](crate::ErrorKind::Closed).
///
/// # Awaiting
/// Waiting for a task can be given up and taken up again: `&mut task` is a future as well, so that the task is still there
/// when a time limit or another branch of a `select!` was faster.
///
/// ```
/// # #[cfg(feature = "tokio")] mod example {
/// use std::time::Duration;
/// use spawnsafe::{ErrorKind, Pool, child_entry};
///
/// #[child_entry]
/// fn sleeps(milliseconds: u64) -> u64 {
///     std::thread::sleep(Duration::from_millis(milliseconds));
///     milliseconds
/// }
///
/// # pub async fn run() -> Result<(), spawnsafe::Error> {
/// let pool = Pool::builder().workers(2).build()?;
/// assert_eq!(pool.submit(sleeps::call(1))?.await?, 1);
///
/// let mut long = pool.submit(sleeps::call(600_000))?;
/// if tokio::time::timeout(Duration::from_millis(50), &mut long).await.is_err() {
///     long.cancel();
/// }
/// assert_eq!(long.await.unwrap_err().kind(), ErrorKind::Cancelled);
/// # Ok(()) }
/// # }
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// # #[cfg(feature = "tokio")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example::run())?;
/// # Ok(()) }
/// ```
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
            Some(job) => self.common.fail([job].into(), || texts::cancelled(None)),
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
        letters.pop().map(|letter| self.value(letter)).transpose()
    }

    fn value(&mut self, mut letter: Letter) -> Result<R, Error> {
        self.is_taken = true;
        letter.take(self.unpack)
    }
}

/// Waits as [`Task::join`] does, without blocking a thread, in whichever executor. Once it has given the result it gives
/// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
impl<R> Future for Task<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_taken {
            return Poll::Ready(Err(handle::already_joined().in_entry(self.entry)));
        }
        let Some(letter) = self.mailbox.poll(context.waker()) else {
            if let Some(seat) = self.seat.take() {
                // Nobody looks at the connection of a worker that was given a task directly, but who waits for that.
                seat.waker.wake();
            }
            return Poll::Pending;
        };
        Poll::Ready(self.value(letter))
    }
}

impl<R> fmt::Debug for Task<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("entry", &self.entry)
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
