//! Becoming a child: finding the parent's connection again, and dying with the parent.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Stat};
use rustix::io::FdFlags;
use rustix::process::Pid;

use super::anchor::ANCHORED;
use super::{Shared, Stream};
use crate::sys::imp::{lifeline, maker, mark, may_be_memory_object};

/// Takes over the connection that `place` (what follows the token in the variable) describes, and binds the life of
/// this process to that of its parent. `None` if the parent has ended. The error is for the person who has set the
/// variable by hand.
///
/// The environment alone is no proof: the descriptor must be a socket whose other end was made by this process's
/// parent.
pub(crate) fn adopt(place: &OsStr) -> Result<Option<Adopted>, String> {
    let Numbers { connection, lifeline, anchor, shared } = place.to_str().and_then(numbers).ok_or("it is malformed")?;
    if let Some(anchor) = anchor {
        file_of(anchor, |kind| kind == FileType::Socket).ok_or("it names a descriptor that is no anchor")?;
    }
    if let Some(shared) = shared {
        file_of(shared, may_be_memory_object).ok_or("it names a descriptor that is no shared memory")?;
    }
    let identity = file_of(connection, |kind| kind == FileType::Socket);
    let identity = identity.ok_or("it names a descriptor that is no connection")?;
    file_of(lifeline, |kind| kind == FileType::Fifo).ok_or("it names a descriptor that is no lifeline")?;
    // SAFETY: the number is an open descriptor of the right type, see above. The parent opened it for this code in this
    // process alone; what ran before (constructors, at most) has no reason to own it.
    let connection = unsafe { OwnedFd::from_raw_fd(connection) };
    // SAFETY: as above, and it is another number.
    let lifeline = unsafe { OwnedFd::from_raw_fd(lifeline) };

    if !comes_from_parent(&connection).ok_or("it names a socket of another kind")? {
        return Err("the process that made this connection is not this process's parent".into());
    }
    // SAFETY: as above, and it is a third number.
    let anchor = anchor.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    // SAFETY: as above, and it is a fourth number.
    let shared = shared.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let failed = |error| format!("the connection cannot be prepared: {error}");
    let shared = shared.map(Shared::adopt).transpose().map_err(failed)?;
    // `posix_spawn` had to clear the flag; a grandchild must not get them.
    for fd in [&connection, &lifeline].into_iter().chain(&anchor) {
        rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    }
    let number = lifeline.as_raw_fd();
    if !lifeline::hold_on(lifeline).map_err(failed)? {
        return Ok(None);
    }
    Ok(Some(Adopted::new(Stream::new(connection, anchor), Some(identity), number, shared)))
}

/// The descriptors that a child begins with, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    connection: RawFd,
    lifeline: RawFd,
    /// Where connections have one.
    anchor: Option<RawFd>,
    /// Where there is memory that is shared.
    shared: Option<RawFd>,
}

/// Different numbers above those of the standard streams.
fn numbers(place: &str) -> Option<Numbers> {
    let numbers = place.split(';').map(|number| number.parse().ok().filter(|&number: &RawFd| number > 2));
    let numbers = numbers.collect::<Option<Vec<_>>>()?;
    let &[connection, lifeline, ref rest @ ..] = &numbers[..] else { return None };
    let (anchor, shared) = match (ANCHORED, rest) {
        (false, []) => (None, None),
        (false, &[shared]) => (None, Some(shared)),
        (true, &[anchor]) => (Some(anchor), None),
        (true, &[anchor, shared]) => (Some(anchor), Some(shared)),
        _ => return None,
    };
    let differ = numbers.iter().enumerate().all(|(at, number)| !numbers[..at].contains(number));
    differ.then_some(Numbers { connection, lifeline, anchor, shared })
}

/// A child's end of its connection.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    /// The memory that it shares with its parent, if the parent asked for some.
    pub(crate) shared: Option<Shared>,
    /// The number of the lifeline, which is open as long as the process.
    #[cfg_attr(target_os = "macos", allow(dead_code))] // Of interest to a zygote.
    pub(in crate::sys) lifeline: RawFd,
    /// Of the socket; `None` if the system did not tell, and then nothing is it.
    identity: Option<Identity>,
    process: Pid,
    mark: Option<&'static AtomicU32>,
}

impl Adopted {
    pub(in crate::sys) fn new(
        stream: Stream,
        identity: Option<Identity>,
        lifeline: RawFd,
        shared: Option<Shared>,
    ) -> Self {
        Self { stream, shared, lifeline, identity, process: rustix::process::getpid(), mark: None }
    }

    /// Whether the stream is still what was adopted. An entry that closes descriptors it does not know may since have
    /// opened a file under the same number, and a result must not be written into that.
    pub(crate) fn is_intact(&self) -> bool {
        self.identity.is_some() && identity(&self.stream) == self.identity
    }

    /// The process will ask often whether it [is ours](Self::is_ours).
    pub(crate) fn prepare_to_stay(&mut self) {
        self.mark = mark();
    }

    /// Whether this process is the one that was started, and not a copy of it that the entry has forked.
    pub(crate) fn is_ours(&self) -> bool {
        match self.mark {
            Some(mark) => mark.load(Ordering::Relaxed) != 0,
            None => rustix::process::getpid() == self.process,
        }
    }
}

/// The device and number of a file.
pub(in crate::sys) type Identity = (i128, i128);

pub(in crate::sys) fn identity(fd: &impl AsFd) -> Option<Identity> {
    rustix::fs::fstat(fd).ok().map(|stat| identity_in(&stat))
}

pub(in crate::sys) fn identity_in(stat: &Stat) -> Identity {
    (stat.st_dev.into(), stat.st_ino.into())
}

/// Whether the other end was made by this process's parent; or by one that is gone, as that of a child that was
/// detached at once: its end is then closed, and all that can come is the call that it has left. In a new process
/// namespace the parent has the number 0 on both sides.
fn comes_from_parent(connection: &OwnedFd) -> Option<bool> {
    let maker = maker(connection);
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    if maker == Some(parent) || is_cut(connection).ok()? { Some(true) } else { maker.map(|_| false) }
}

/// Whether the other end of a pipe or socket is closed.
pub(in crate::sys) fn is_cut(end: &impl AsFd) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A hang-up need not be asked for, but macOS looks at no descriptor of which nothing is asked.
    let mut fds = [PollFd::new(end, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&now))?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}

/// What the number is open for, if that is of a type as wished.
fn file_of(fd: RawFd, is_wanted: impl FnOnce(FileType) -> bool) -> Option<Identity> {
    // SAFETY: the borrow does not outlive this function, and the only use of it is to ask what the number is: if
    // nothing is open there, fstat(2) says so.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let stat = rustix::fs::fstat(fd).ok()?;
    is_wanted(FileType::from_raw_mode(stat.st_mode)).then(|| identity_in(&stat))
}

/// What std does on the way to `main`, and has not done yet in a process that never gets there.
pub(crate) fn prepare_before_main() {
    // SAFETY: signal(2) with SIG_IGN installs no function. No other thread runs yet that could do the same.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
