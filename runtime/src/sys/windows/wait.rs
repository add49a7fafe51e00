//! Waiting for several things at once, without a thread for each.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windows_sys::Win32::System::Threading::{ResetEvent, SetEvent};

use super::handle::{event, is_signalled, wait_for_one_of};
use super::registered::Registered;
use super::{Process, Stream, Watch};
use crate::sys::{Interest, Ready};

/// How many handles one call can wait for (`MAXIMUM_WAIT_OBJECTS`).
const AT_ONCE: usize = 64;

/// Waits until the connection is ready, the process has ended or the deadline has passed.
pub(crate) fn wait(
    process: &Process,
    stream: Option<(&Stream, Interest)>,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut handles = vec![process.handle()];
    if let Some((stream, interest)) = stream {
        match stream.events(interest)? {
            Some(events) => handles.extend(events),
            None => return Ok(Ready { stream: true, ended: is_signalled(process.handle()) }),
        }
    }
    wait_for_one_of(&handles, deadline)?;
    Ok(Ready { ended: is_signalled(handles[0]), stream: handles[1..].iter().any(is_signalled) })
}

/// As [`wait`], for whoever does not hold the process; and also ends when the waker is used.
pub(crate) fn wait_or_wake(
    watch: &Watch,
    stream: Option<(&Stream, Interest)>,
    waker: Option<&Waker>,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let mut handles = vec![watch.handle()];
    if let Some((stream, interest)) = stream {
        match stream.events(interest)? {
            Some(events) => handles.extend(events),
            None => return Ok(()),
        }
    }
    handles.extend(waker.map(|waker| waker.0.as_handle()));
    wait_for_one_of(&handles, deadline)?;
    if let Some(waker) = waker.filter(|waker| is_signalled(&waker.0)) {
        waker.clear();
    }
    Ok(())
}

/// Waits until one of the processes has ended, the waker is used or the deadline has passed. Tells for each process
/// whether it has ended.
pub(crate) fn wait_any<'a>(
    watches: impl Iterator<Item = &'a Watch>,
    waker: &Waker,
    deadline: Option<Instant>,
) -> io::Result<Vec<bool>> {
    let processes: Vec<_> = watches.map(Watch::handle).collect();
    if processes.len() < AT_ONCE {
        let handles: Vec<_> = [waker.0.as_handle()].into_iter().chain(processes.iter().copied()).collect();
        wait_for_one_of(&handles, deadline)?;
    } else {
        wait_for_many(&processes, waker, deadline)?;
    }
    if is_signalled(&waker.0) {
        waker.clear();
    }
    Ok(processes.into_iter().map(is_signalled).collect())
}

/// Waits until one of the handles is signalled or the deadline has passed, however many they are. None may be there twice.
pub(super) fn wait_for_any(handles: &[BorrowedHandle<'_>], deadline: Option<Instant>) -> io::Result<()> {
    if handles.len() <= AT_ONCE {
        wait_for_one_of(handles, deadline)
    } else {
        wait_for_many(handles, &Waker::new()?, deadline)
    }
}

/// More than one call can wait for: the system's threads wait, and set one event.
fn wait_for_many(handles: &[BorrowedHandle<'_>], waker: &Waker, deadline: Option<Instant>) -> io::Result<()> {
    let bell = Arc::new(Waker::new()?);
    let registered: Vec<_> = handles
        .iter()
        .map(|&handle| {
            let bell = Arc::clone(&bell);
            Registered::new(handle, move || bell.wake())
        })
        .collect::<io::Result<_>>()?;
    let done = wait_for_one_of(&[waker.0.as_handle(), bell.0.as_handle()], deadline);
    drop(registered);
    done
}

/// Ends a [`wait_any`] of another thread.
#[derive(Debug)]
pub(crate) struct Waker(OwnedHandle);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(event()?))
    }

    /// One that can also be used for later.
    pub(crate) fn with_timer() -> io::Result<Self> {
        Self::new()
    }

    /// Here at once: whoever waits finds that it is not time yet, and waits on.
    pub(crate) fn wake_after(&self, _: Duration) {
        self.wake();
    }

    pub(crate) fn wake(&self) {
        // SAFETY: the handle is open.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    pub(super) fn event(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }

    pub(super) fn clear(&self) {
        // SAFETY: the handle is open.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }
}
