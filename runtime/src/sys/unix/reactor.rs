//! Waiting for a queue of packets within a tokio runtime.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::Poll;
use std::thread;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::PacketEnd;
use super::datagram::AGAIN;

/// What a runtime watches of one end of a queue of packets.
#[derive(Debug)]
pub(crate) enum AsyncEnd {
    /// Nothing: there is nothing that tells of room.
    ToSend,
    ToReceive([AsyncFd<OwnedFd>; 2]),
}

impl AsyncEnd {
    /// For the end to send from. Must be called within a runtime whose I/O is enabled.
    pub(crate) fn to_send(_: &PacketEnd) -> io::Result<Self> {
        Ok(AsyncEnd::ToSend)
    }

    /// For the end to receive from.
    // Newer versions deprecate `with_interest` because a type might close its descriptor early: `OwnedFd` does not.
    #[allow(deprecated)]
    pub(crate) fn to_receive(end: &PacketEnd) -> io::Result<Self> {
        let [socket, lifeline] = end.watched()?;
        let watch = |fd| AsyncFd::with_interest(fd, Interest::READABLE);
        Ok(AsyncEnd::ToReceive([watch(socket)?, watch(lifeline)?]))
    }

    /// Calls `attempt` until it gives something else than `WouldBlock`, each time when that may be. It is not called
    /// again once this is dropped.
    pub(crate) async fn when_ready<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            match self {
                // Not the runtime's timer, which may not be enabled.
                AsyncEnd::ToSend => {
                    tokio::task::spawn_blocking(|| thread::sleep(AGAIN)).await.map_err(io::Error::other)?
                }
                AsyncEnd::ToReceive(watched) => either(watched).await?,
            }
        }
    }
}

/// Returns when one of them has become ready since it was last said to be. What comes after the attempt before is not
/// missed: it stays said until here.
async fn either([one, other]: &[AsyncFd<OwnedFd>; 2]) -> io::Result<()> {
    // By itself each future, as several tasks may wait for one end.
    let (mut one, mut other) = (pin!(one.readable()), pin!(other.readable()));
    poll_fn(|context| {
        for fd in [one.as_mut(), other.as_mut()] {
            if let Poll::Ready(ready) = fd.poll(context) {
                return Poll::Ready(ready.map(|mut guard| guard.clear_ready()));
            }
        }
        Poll::Pending
    })
    .await
}
