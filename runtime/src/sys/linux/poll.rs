//! Waiting for several things at once, without a thread for each.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

use super::{Process, Stream, Watch};
use crate::sys::unix::poll;
use crate::sys::{Interest, Ready};

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
    fds.extend(waker.map(|waker| PollFd::new(&waker.bell, PollFlags::IN)));
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
    let mut fds = vec![PollFd::new(&waker.bell, PollFlags::IN)];
    fds.extend(waker.timer.iter().map(|timer| PollFd::new(timer, PollFlags::IN)));
    let own = fds.len();
    fds.extend(watches.iter().flatten().map(|&fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    poll(&mut fds, deadline)?;
    if fds[..own].iter().any(|fd| !fd.revents().is_empty()) {
        waker.clear();
    }
    let mut ready = fds[own..].iter().map(|fd| !fd.revents().is_empty());
    Ok(watches.iter().map(|watch| watch.is_none() || ready.next() == Some(true)).collect())
}

/// Ends a [`wait_any`] or a [`wait_or_wake`] of another thread.
#[derive(Debug)]
pub(crate) struct Waker {
    bell: OwnedFd,
    timer: Option<OwnedFd>,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { bell: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?, timer: None })
    }

    /// One that can also be used for later.
    pub(crate) fn with_timer() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { timer: Some(timer), ..Self::new()? })
    }

    pub(crate) fn wake(&self) {
        // The only error is that the counter is full, and then it is awake.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Ends a [`wait_any`] after this time, in place of the time that was said before: whoever waits need not wake up now, which
    /// would take a processor from others.
    pub(crate) fn wake_after(&self, time: Duration) {
        let once = Timespec::try_from(time.max(Duration::from_nanos(1)));
        let is_set = self.timer.as_ref().zip(once.ok()).is_some_and(|(timer, it_value)| {
            let never = Timespec { tv_sec: 0, tv_nsec: 0 };
            let time = Itimerspec { it_interval: never, it_value };
            rustix::time::timerfd_settime(timer, TimerfdTimerFlags::empty(), &time).is_ok()
        });
        if !is_set {
            self.wake();
        }
    }

    fn clear(&self) {
        for fd in [Some(&self.bell), self.timer.as_ref()].into_iter().flatten() {
            let _ = rustix::io::read(fd, &mut [0; 8]);
        }
    }
}
