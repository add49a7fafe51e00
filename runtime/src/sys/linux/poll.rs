//! Waiting for several things at once, without a thread for each.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::{Process, Stream, Watch};
use crate::sys::{Interest, Ready, time_left};

/// Waits until the connection is ready, the process has ended or the deadline has passed.
pub(crate) fn wait(
    process: &Process,
    stream: Option<(&Stream, Interest)>,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut fds = Vec::with_capacity(2);
    if let Some((stream, interest)) = stream {
        fds.push(PollFd::new(stream, flags(interest)));
    }
    let Some(pidfd) = process.pidfd() else { return Ok(Ready { stream: stream.is_some(), ended: true }) };
    fds.push(PollFd::from_borrowed_fd(pidfd, PollFlags::IN));
    poll(&mut fds, deadline)?;
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    Ok(Ready { stream: stream.is_some() && ready.next() == Some(true), ended: ready.next() == Some(true) })
}

/// As [`wait`], for whoever does not hold the process; and also ends when the waker is used.
pub(crate) fn wait_or_wake(
    watch: &Watch,
    stream: Option<(&Stream, Interest)>,
    waker: Option<&Waker>,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let Some(pidfd) = watch.pidfd() else { return Ok(()) };
    let mut fds = Vec::with_capacity(3);
    fds.push(PollFd::from_borrowed_fd(pidfd, PollFlags::IN));
    if let Some((stream, interest)) = stream {
        fds.push(PollFd::new(stream, flags(interest)));
    }
    fds.extend(waker.map(|waker| PollFd::new(&waker.0, PollFlags::IN)));
    poll(&mut fds, deadline)?;
    if let (Some(waker), Some(last)) = (waker, fds.last()) {
        if !last.revents().is_empty() {
            waker.clear();
        }
    }
    Ok(())
}

fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read => PollFlags::IN,
        Interest::ReadOrWrite => PollFlags::IN | PollFlags::OUT,
    }
}

/// Waits until one of the processes has ended, the waker is used or the deadline has passed. Tells for each process
/// whether it has ended.
pub(crate) fn wait_any<'a>(
    watches: impl Iterator<Item = &'a Watch>,
    waker: &Waker,
    deadline: Option<Instant>,
) -> io::Result<Vec<bool>> {
    let watches: Vec<_> = watches.map(Watch::pidfd).collect();
    let mut fds = vec![PollFd::new(&waker.0, PollFlags::IN)];
    fds.extend(watches.iter().flatten().map(|&fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    poll(&mut fds, deadline)?;
    if !fds[0].revents().is_empty() {
        waker.clear();
    }
    let mut ready = fds[1..].iter().map(|fd| !fd.revents().is_empty());
    Ok(watches.iter().map(|watch| watch.is_none() || ready.next() == Some(true)).collect())
}

pub(super) fn poll(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        // A time beyond what the system can express is for ever.
        let timeout = time_left(deadline).and_then(|left| Timespec::try_from(left).ok());
        match rustix::event::poll(fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            done => return Ok(done.map(drop)?),
        }
    }
}

/// Ends a [`wait_any`] or a [`wait_or_wake`] of another thread.
#[derive(Debug)]
pub(crate) struct Waker(OwnedFd);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub(crate) fn wake(&self) {
        // The only error is that the counter is full, and then it is awake.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}
