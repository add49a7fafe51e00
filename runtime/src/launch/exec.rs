//! The start method that executes the program's file again.

use std::io::{self, IoSlice, Read};
use std::sync::Arc;
use std::time::Instant;

use super::{Launched, Launcher, Order, Peer, exiting};
use crate::registry::Dispatch;
use crate::sys::{
    self, Command, Ended, Interest, OwnedHandle, Process, Ready, Receive, Received, Started, Stream, Watch,
};

/// See [`StartMethod::Exec`](super::StartMethod::Exec).
#[derive(Debug)]
pub(crate) struct Exec;

impl Launcher for Exec {
    fn launch(&self, order: Order) -> io::Result<Launched> {
        let Order { dispatch, environment, stdin, stdout, stderr, mut outbox, shared } = order;
        let mut command = Command {
            args: std::env::args_os().collect(),
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
        Ok(Launched { peer: Box::new(Executed { process, stream: Some(Arc::new(stream)) }), piped, outbox, shared })
    }
}

struct Executed {
    process: Process,
    /// `None` once nothing more is expected from it.
    stream: Option<Arc<Stream>>,
}

impl Executed {
    fn stream(&self) -> io::Result<&Stream> {
        self.stream.as_deref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Read for Executed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream()?.read(buf)
    }
}

impl Receive for Executed {
    fn receive(&mut self, buf: &mut [u8], handles: &mut Vec<OwnedHandle>) -> io::Result<Received> {
        self.stream()?.receive(buf, handles)
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
