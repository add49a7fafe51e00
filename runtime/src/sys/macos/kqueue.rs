//! Waiting for events of the kernel: kqueue(2).

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use rustix::io::FdFlags;

use crate::sys::time_left;

/// A queue of events.
#[derive(Debug)]
pub(super) struct Queue(OwnedFd);

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The process has ended.
    Ended(libc::pid_t),
    /// A descriptor can be read or written.
    Ready,
    /// [`Queue::wake`] was called.
    Woken,
}

impl Queue {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: kqueue(2) has no preconditions.
        let queue = unsafe { libc::kqueue() };
        if queue < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and is owned by nobody else.
        let queue = unsafe { OwnedFd::from_raw_fd(queue) };
        rustix::io::fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
        Ok(Self(queue))
    }

    /// Watches for the end of a process. `false` if it has ended already.
    pub(super) fn watch_process(&self, pid: libc::pid_t) -> io::Result<bool> {
        match self.add(pid as usize, libc::EVFILT_PROC, libc::EV_ONESHOT, libc::NOTE_EXIT) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Watches for when the descriptor can be read, each time anew. It must stay open as long as this.
    pub(super) fn watch_read(&self, fd: &impl AsFd) -> io::Result<()> {
        self.add(descriptor(fd), libc::EVFILT_READ, libc::EV_CLEAR, 0)
    }

    /// Watches for when the descriptor can be written, each time anew. It must stay open as long as this.
    pub(super) fn watch_write(&self, fd: &impl AsFd) -> io::Result<()> {
        self.add(descriptor(fd), libc::EVFILT_WRITE, libc::EV_CLEAR, 0)
    }

    /// Lets this queue be woken.
    pub(super) fn watch_waking(&self) -> io::Result<()> {
        self.add(0, libc::EVFILT_USER, libc::EV_CLEAR, 0)
    }

    /// Ends a wait of another thread, or the next one.
    pub(super) fn wake(&self) -> io::Result<()> {
        self.add(0, libc::EVFILT_USER, libc::EV_CLEAR, libc::NOTE_TRIGGER)
    }

    fn add(&self, ident: usize, filter: i16, flags: u16, fflags: u32) -> io::Result<()> {
        let change =
            libc::kevent { ident, filter, flags: libc::EV_ADD | flags, fflags, data: 0, udata: ptr::null_mut() };
        // SAFETY: kevent(2) reads one change, which is borrowed for the call, and has no room for events; an error of
        // the change is then the result.
        let done = unsafe { libc::kevent(self.0.as_raw_fd(), &raw const change, 1, ptr::null_mut(), 0, ptr::null()) };
        match io::Error::last_os_error() {
            // A signal came, and the change is made all the same: kevent(2).
            error if done < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// What has happened, at most `count` things; waits for one, or until the deadline has passed.
    pub(super) fn wait(&self, count: usize, deadline: Option<Instant>) -> io::Result<Vec<Happened>> {
        let mut events: Vec<libc::kevent> = Vec::with_capacity(count);
        let room = libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX);
        loop {
            let timeout = time_left(deadline).map(timespec);
            let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: kevent(2) reads no change, writes at most `room` events, for which there is room, and reads the
            // time, if any; all are borrowed for the call.
            let found = unsafe { libc::kevent(self.0.as_raw_fd(), ptr::null(), 0, events.as_mut_ptr(), room, timeout) };
            if found >= 0 {
                // SAFETY: the call has written that many.
                unsafe { events.set_len(found as usize) };
                return Ok(events.iter().map(Happened::of).collect());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

impl Happened {
    fn of(event: &libc::kevent) -> Self {
        match event.filter {
            // The number is the one that was given.
            libc::EVFILT_PROC => Happened::Ended(event.ident as libc::pid_t),
            libc::EVFILT_USER => Happened::Woken,
            _ => Happened::Ready,
        }
    }
}

fn descriptor(fd: &impl AsFd) -> usize {
    // No descriptor is negative.
    fd.as_fd().as_raw_fd() as usize
}

/// At most a day, after which whoever waits looks again: the kernel refuses times that it finds too long.
fn timespec(left: Duration) -> libc::timespec {
    let left = left.min(Duration::from_secs(24 * 60 * 60));
    libc::timespec { tv_sec: left.as_secs() as libc::time_t, tv_nsec: left.subsec_nanos().into() }
}

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
