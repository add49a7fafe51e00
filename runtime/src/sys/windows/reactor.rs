//! Waiting within a tokio runtime: the system's threads wait, and wake the task.

use std::future::poll_fn;
use std::io;
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use windows_sys::Win32::System::Threading::INFINITE;

use super::handle::event;
use super::packet::AGAIN;
use super::registered::Registered;
use super::{PacketEnd, Process, Stream};
use crate::sys::Interest;

/// What is watched for one child. The handles are duplicates, so that the child can be dropped first.
#[derive(Debug)]
pub(crate) struct AsyncWait {
    handles: Vec<OwnedHandle>,
}

/// Rung by the first handle that is signalled.
#[derive(Debug, Default)]
struct Bell {
    rung: bool,
    waker: Option<Waker>,
}

impl AsyncWait {
    pub(crate) fn new(process: &Process, stream: Option<&Stream>) -> io::Result<Self> {
        let mut handles = vec![process.handle().try_clone_to_owned()?];
        // A connection that is closed has nothing to tell.
        for event in stream.map_or(Ok(None), |stream| stream.events(Interest::Read))?.into_iter().flatten() {
            handles.push(event.try_clone_to_owned()?);
        }
        Ok(Self { handles })
    }

    /// Returns when something has happened, or at the deadline. The caller has read until the connection would block,
    /// so what is signalled is new.
    pub(crate) async fn wait(&self, deadline: Option<Instant>) -> io::Result<()> {
        let bell = Arc::new(Mutex::new(Bell::default()));
        let registered: Vec<_> = self
            .handles
            .iter()
            .map(|handle| {
                let bell = Arc::clone(&bell);
                Registered::new(handle.as_handle(), move || ring(&bell))
            })
            .collect::<io::Result<_>>()?;
        let event = rung(&bell);
        match deadline {
            None => event.await,
            // Whether it has passed is for the caller to see.
            Some(deadline) => tokio::time::timeout_at(deadline.into(), event).await.unwrap_or(()),
        }
        drop(registered);
        Ok(())
    }
}

/// What is awaited of one end of a queue of packets.
#[derive(Debug)]
pub(crate) struct AsyncEnd {
    end: PacketEnd,
    /// Of the end to send from: never set, for want of something that tells of room.
    never: Option<OwnedHandle>,
}

impl AsyncEnd {
    /// For the end to send from.
    pub(crate) fn to_send(end: &PacketEnd) -> io::Result<Self> {
        Ok(Self { end: end.clone(), never: Some(event()?) })
    }

    /// For the end to receive from.
    pub(crate) fn to_receive(end: &PacketEnd) -> io::Result<Self> {
        Ok(Self { end: end.clone(), never: None })
    }

    /// Calls `attempt` until it gives something else than `WouldBlock`, each time when that may be. It is not called
    /// again once this is dropped.
    pub(crate) async fn when_ready<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            // Before it is tried, so that nothing comes unseen.
            let (event, limit) = match &self.never {
                Some(never) => (never.as_handle(), AGAIN.as_millis() as u32),
                None => (self.end.watch()?, INFINITE),
            };
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            let bell = Arc::new(Mutex::new(Bell::default()));
            let registered = Registered::within(event, limit, {
                let bell = Arc::clone(&bell);
                move || ring(&bell)
            })?;
            rung(&bell).await;
            drop(registered);
        }
    }
}

/// Ends when the bell is rung.
async fn rung(bell: &Mutex<Bell>) {
    poll_fn(|context| {
        let mut bell = bell.lock().unwrap_or_else(PoisonError::into_inner);
        bell.waker = Some(context.waker().clone());
        if bell.rung { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn ring(bell: &Mutex<Bell>) {
    let waker = {
        let mut bell = bell.lock().unwrap_or_else(PoisonError::into_inner);
        bell.rung = true;
        bell.waker.take()
    };
    waker.into_iter().for_each(Waker::wake);
}
