//! The start method that executes the program's file again.

use std::ffi::OsString;
use std::io::{self, IoSlice, Read};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::{Launched, Launcher, Order, Peer, exiting, spares};
use crate::link::Outbox;
use crate::registry::Dispatch;
use crate::sys::{
    self, Command, Ended, Interest, OwnedHandle, Piped, Process, Ready, Receive, Received, Shared, Started, Stream,
    Watch,
};

/// See [`StartMethod::Exec`](super::StartMethod::Exec).
#[derive(Debug)]
pub(crate) struct Exec;

impl Launcher for Exec {
    fn launch(&self, mut order: Order) -> io::Result<Launched> {
        if let Some(launched) = spares::launch(&mut order) {
            return launched;
        }
        let Execution { executed, piped, outbox, shared, .. } = execute(order)?;
        Ok(Launched { peer: Box::new(executed), piped, outbox, shared })
    }
}

/// As [`Launched`], when it is still known what it is.
pub(super) struct Execution {
    pub(super) executed: Executed,
    pub(super) piped: Piped,
    pub(super) outbox: Outbox,
    pub(super) shared: Option<Shared>,
    /// What it was given, without the library's own variable.
    pub(super) environment: Vec<(OsString, OsString)>,
}

pub(super) fn execute(order: Order) -> io::Result<Execution> {
    let Order { dispatch, environment, stdin, stdout, stderr, mut outbox, shared } = order;
    let mut command = Command {
        args: arguments(),
        env: environment.variables()?,
        stdin,
        stdout,
        stderr,
        token: match dispatch {
            Dispatch::ProcessMain => crate::wire::TOKEN_MAIN,
            Dispatch::BeforeMain => crate::wire::TOKEN_BEFORE_MAIN,
        },
        shared,
    };
    let (stream, handover) = exiting::with_room(sys::connection)?;
    stream.prepare_to_write(outbox.len());
    // Before the child exists: arguments that fit into the buffer are there when it asks for them.
    outbox.pump(|pieces, handles| stream.write(pieces, handles))?;
    let Started { process, piped, shared } = exiting::with_room(|| sys::start(&mut command, &handover))?;
    Ok(Execution { executed: Executed::new(process, stream), piped, outbox, shared, environment: command.env })
}

/// What the arguments of children are: those of this process, unless it only stands for another one.
fn arguments() -> Vec<OsString> {
    let arguments = ARGUMENTS.read().unwrap_or_else(PoisonError::into_inner);
    arguments.clone().unwrap_or_else(|| std::env::args_os().collect())
}

static ARGUMENTS: RwLock<Option<Vec<OsString>>> = RwLock::new(None);

/// This process is the agent of one that was started with these arguments, which its children are to see.
#[cfg(feature = "engines")]
pub(crate) fn set_arguments(arguments: Vec<OsString>) {
    *ARGUMENTS.write().unwrap_or_else(PoisonError::into_inner) = Some(arguments);
}

/// A process, however it came to be, and the connection to it.
pub(super) struct Executed {
    process: Process,
    /// `None` once nothing more is expected from it.
    stream: Option<Arc<Stream>>,
    /// Until when its next word may come any moment.
    soon: Option<Instant>,
}

/// How long whoever waits for a word that is about to come asks for it again and again, and sleeps only then.
///
/// To fall asleep and to be woken on another processor takes as long as a child that is there already takes for all that it
/// does, and most of that is its own time: it is the one who has to wake. Between two questions the processor is given to
/// whoever else wants it.
const SOON: Duration = Duration::from_micros(150);

impl Executed {
    pub(super) fn new(process: Process, stream: Stream) -> Self {
        Self { process, stream: Some(Arc::new(stream)), soon: None }
    }

    pub(super) fn stream(&self) -> io::Result<&Stream> {
        self.stream.as_deref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The process is there, and awake: what it says next may come within microseconds.
    pub(super) fn is_up(&mut self) {
        self.soon = Some(Instant::now() + SOON);
    }

    /// Waits awake, if a word may come any moment.
    fn wait_awake(&mut self, interest: Interest, deadline: Option<Instant>) -> io::Result<Option<Ready>> {
        let Some(soon) = self.soon.take() else { return Ok(None) };
        let until = deadline.map_or(soon, |deadline| deadline.min(soon));
        loop {
            let now = Instant::now();
            let ready = sys::wait(&self.process, self.stream.as_deref().zip(Some(interest)), Some(now))?;
            if ready.stream || ready.ended {
                return Ok(Some(ready));
            }
            if now >= until {
                return Ok(None);
            }
            std::thread::yield_now();
        }
    }
}

impl Read for Executed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream()?.read(buf)
    }
}

impl Receive for Executed {
    fn receive(&mut self, first: bool, buf: &mut [u8], handles: &mut Vec<OwnedHandle>) -> io::Result<Received> {
        self.stream()?.receive(first, buf, handles)
    }
}

impl Peer for Executed {
    fn id(&self) -> u32 {
        self.process.id()
    }

    fn write(&mut self, pieces: &[IoSlice<'_>], handles: &[&OwnedHandle]) -> io::Result<usize> {
        self.stream()?.write(pieces, handles)
    }

    fn hang_up(&mut self) {
        self.stream = None;
    }

    fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    fn try_wait(&mut self) -> io::Result<Option<Ended>> {
        self.process.try_wait()
    }

    fn wait(&mut self, interest: Option<Interest>, deadline: Option<Instant>) -> io::Result<Ready> {
        if let Some(interest) = interest {
            if let Some(ready) = self.wait_awake(interest, deadline)? {
                return Ok(ready);
            }
        }
        sys::wait(&self.process, self.stream.as_deref().zip(interest), deadline)
    }

    fn watch(&self) -> Watch {
        self.process.watch()
    }

    fn ends(&self) -> (Watch, Option<Arc<Stream>>) {
        (self.process.watch(), self.stream.clone())
    }

    fn release(&mut self) -> io::Result<()> {
        // Without a connection it is about to exit by itself.
        self.stream.as_ref().map_or(Ok(()), |stream| self.process.release(stream))
    }

    #[cfg(feature = "tokio")]
    fn async_wait(&self) -> io::Result<sys::AsyncWait> {
        sys::AsyncWait::new(&self.process, self.stream.as_deref())
    }
}
