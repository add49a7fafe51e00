//! A child process that runs an entry.

use std::fmt;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use super::call::Unpack;
use super::ending;
use super::running::{Answer, Running};
use crate::error::{Error, ErrorKind};
use crate::link;
use crate::sys::Piped;

/// A child process that runs an entry whose result is an `R`.
///
/// [`join`](Child::join) waits for the result. Dropping a `Child` kills the process and reaps it, so neither orphans
/// nor zombies are left behind; [`detach`](Child::detach) lets it run on. When this process ends, however it does,
/// its children end too.
///
/// ```
/// use spawnsafe::child_entry;
///
/// #[child_entry]
/// fn square(x: u64) -> u64 { x * x }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let children: Vec<_> = (1..=3).map(square::spawn).collect::<Result<_, _>>()?;
/// let squares: Vec<u64> = children.into_iter().map(|child| child.join()).collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok(()) }
/// ```
///
/// # Awaiting
/// With feature `tokio`, a child can be awaited within a tokio runtime. Where awaiting `child` is given up, by a time limit or
/// another branch of a `select!`, the child is killed; awaiting `&mut child` leaves it running.
///
/// ```
/// # #[cfg(feature = "tokio")] mod example {
/// use std::time::Duration;
/// use spawnsafe::{ErrorKind, child_entry};
///
/// #[child_entry]
/// fn sleeps(milliseconds: u64) -> u64 {
///     std::thread::sleep(Duration::from_millis(milliseconds));
///     milliseconds
/// }
///
/// # pub async fn run() -> Result<(), spawnsafe::Error> {
/// assert_eq!(sleeps::spawn(1)?.await?, 1);
///
/// let mut long = sleeps::spawn(600_000)?;
/// tokio::select! {
///     result = &mut long => println!("{result:?}"),
///     () = tokio::time::sleep(Duration::from_millis(50)) => long.kill()?,
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
#[must_use = "dropping a `Child` kills its process: `join` it, or `detach` it to let it run on"]
pub struct Child<R> {
    /// The other end of the child's standard input, if it was asked for with [`Stdio::piped`](crate::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// The other end of the child's standard output, if it was asked for.
    pub stdout: Option<ChildStdout>,
    /// The other end of the child's standard error, if it was asked for.
    pub stderr: Option<ChildStderr>,
    running: Running,
    unpack: Unpack<R>,
}

impl<R> Child<R> {
    pub(super) fn new(running: Running, piped: Piped, unpack: Unpack<R>) -> Self {
        let Piped { stdin, stdout, stderr } = piped;
        Self { stdin, stdout, stderr, running, unpack }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Waits until the entry has returned and its process has exited. What the process held, as a port or a lock of a file,
    /// is then free, and all that it does on its way out is done. [`Call::run`](crate::Call::run) does not wait for
    /// that.
    ///
    /// A process that does not exit within ten seconds of its result, say because of an exit handler that hangs, is killed.
    ///
    /// The child's piped standard input is closed first, so that a child that reads it to its end does not wait for
    /// ever. Piped output is for the caller to read: a child whose output nobody reads waits too.
    ///
    /// # Errors
    /// Whatever has kept the entry from returning a value: see [`ErrorKind`].
    pub fn join(mut self) -> Result<R, Error> {
        drop(self.stdin.take());
        let answer = self.running.settle(None);
        self.value(answer.expect("without a time limit it waits for the answer"))
    }

    /// For whoever has never seen the process, and does not ask when it is gone.
    pub(super) fn into_result(mut self) -> Result<R, Error> {
        drop(self.stdin.take());
        let answer = self.running.settle_for_value();
        self.value(answer)
    }

    /// As [`join`](Child::join), for at most this long: `Ok(None)` if the time passes first. The child then runs on,
    /// and can be asked again. Standard input stays open.
    ///
    /// # Errors
    /// As [`join`](Child::join). [`ErrorKind::Closed`] if the result was already taken.
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<Option<R>, Error> {
        // A time that no clock can express is for ever.
        let until = Instant::now().checked_add(timeout);
        self.running.settle(until).map(|answer| self.value(answer)).transpose()
    }

    /// The result if the child has ended, `Ok(None)` if not. Never waits.
    ///
    /// # Errors
    /// As [`join`](Child::join). [`ErrorKind::Closed`] if the result was already taken.
    pub fn try_join(&mut self) -> Result<Option<R>, Error> {
        self.running.advance().map(|answer| self.value(answer)).transpose()
    }

    /// Ends the process at once: SIGKILL on Unix, exit code 137 on Windows. Joining it then gives [`ErrorKind::Cancelled`], or the result if it
    /// was faster. No error if it has ended.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`] if the system does not let this process kill its child, say because the child has changed
    /// its user.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.running.kill().map_err(|error| {
            Error::new(ErrorKind::Spawn, format!("its process {} cannot be killed: {error}", self.id()))
                .in_entry(self.running.entry())
                .with_source(error)
        })
    }

    /// Lets the process run on, also after this one has ended, and gives up its result. It is still reaped, and its
    /// [`timeout`](crate::Call::timeout) still holds as long as this process lives.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`] if the system refuses; the process is then killed.
    pub fn detach(self) -> Result<(), Error> {
        self.running.detach()
    }

    pub(super) fn value(&self, answer: Answer) -> Result<R, Error> {
        let frame = answer?;
        let mut unpacker = link::unpacker(&frame.items, frame.blobs).with_attachments(frame.attachments);
        (self.unpack)(&mut unpacker)
            .and_then(|value| unpacker.finish().map(|()| value))
            .map_err(|error| ending::undecodable(&error).in_entry(self.running.entry()))
    }

    #[cfg(feature = "tokio")]
    pub(super) fn running(&mut self) -> &mut Running {
        &mut self.running
    }
}

/// Never: says at an `.await` which feature is missing. (With the feature a child is no future, and becomes one.)
#[cfg(not(feature = "tokio"))]
#[doc(hidden)]
impl<R> Future for Child<R>
where
    for<'never> Child<R>: crate::features::FeatureTokio<'never>,
{
    type Output = Result<R, Error>;

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::task::Poll::Pending
    }
}

impl<R> fmt::Debug for Child<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("id", &self.id()).field("entry", &self.running.entry()).finish_non_exhaustive()
    }
}
