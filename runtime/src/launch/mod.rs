//! Starting a child process: what is wanted, and who does it.
//!
//! The other half is `child`; the two never import each other and meet on the wire only.

mod environment;
mod exec;
pub(crate) mod exiting;
#[cfg(test)]
pub(crate) mod mock;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Instant;

pub(crate) use environment::Environment;
pub(crate) use exec::Exec;

use crate::link::Outbox;
use crate::registry::Dispatch;
use crate::sys::{Ended, Interest, OwnedHandle, Piped, Ready, Receive, Shared, Stdio, Stream, Watch};

/// How a child process comes to be.
///
/// All methods give the child the same meaning: the program, started anew, that never runs `main`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// Execute the program's file again. Works everywhere, and is the default.
    #[default]
    Exec,
}

/// A child process that is to be started.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) dispatch: Dispatch,
    pub(crate) environment: Environment,
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
    /// The call, to be written to the child.
    pub(crate) outbox: Outbox,
    /// Memory that it is to share with this process.
    pub(crate) shared: Option<Shared>,
}

/// A child process that was started.
pub(crate) struct Launched {
    pub(crate) peer: Box<dyn Peer>,
    pub(crate) piped: Piped,
    /// What is still to be written.
    pub(crate) outbox: Outbox,
    /// What the order asked to share.
    pub(crate) shared: Option<Shared>,
}

/// Starts child processes in one way.
pub(crate) trait Launcher {
    fn launch(&self, order: Order) -> io::Result<Launched>;
}

/// A child process as its parent sees it: a process, and the connection to it. Reading does not block.
pub(crate) trait Peer: Receive + Send {
    fn id(&self) -> u32;

    /// Writes what the connection takes, and sends the handles with the first of these bytes.
    fn write(&mut self, pieces: &[IoSlice<'_>], handles: &[&OwnedHandle]) -> io::Result<usize>;

    /// Closes the connection: nothing more is expected from it.
    fn hang_up(&mut self);

    /// Ends the process at once. No error if it has ended.
    fn kill(&mut self) -> io::Result<()>;

    /// Reaps the process if it has ended.
    fn try_wait(&mut self) -> io::Result<Option<Ended>>;

    /// Blocks until the connection is as wished (`None` leaves it out), the process has ended or the deadline passed.
    fn wait(&mut self, interest: Option<Interest>, deadline: Option<Instant>) -> io::Result<Ready>;

    /// For another thread that is to watch or kill the process.
    fn watch(&self) -> Watch;

    /// What [`sys::wait_or_wake`](crate::sys::wait_or_wake) needs, for a thread that does not hold the peer while it waits.
    fn ends(&self) -> (Watch, Option<Arc<Stream>>);

    /// Lets the process live on when this one ends.
    fn release(&mut self) -> io::Result<()>;

    /// Waiting within an executor.
    #[cfg(feature = "tokio")]
    fn async_wait(&self) -> io::Result<crate::sys::AsyncWait>;
}

impl StartMethod {
    pub(crate) fn launcher(self) -> &'static dyn Launcher {
        match self {
            StartMethod::Exec => &Exec,
        }
    }
}
