//! Waiting within a tokio runtime: the system's threads wait, and wake the task.

use std::future::poll_fn;
use std::io;
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use super::registered::Registered;
use super::{Process, Stream};
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
        let event = poll_fn(|context| {
            let mut bell = bell.lock().unwrap_or_else(PoisonError::into_inner);
            bell.waker = Some(context.waker().clone());
            if bell.rung { Poll::Ready(()) } else { Poll::Pending }
        });
        match deadline {
            None => event.await,
            // Whether it has passed is for the caller to see.
            Some(deadline) => tokio::time::timeout_at(deadline.into(), event).await.unwrap_or(()),
        }
        drop(registered);
        Ok(())
    }
}

fn ring(bell: &Mutex<Bell>) {
    let waker = {
        let mut bell = bell.lock().unwrap_or_else(PoisonError::into_inner);
        bell.rung = true;
        bell.waker.take()
    };
    waker.into_iter().for_each(Waker::wake);
}
