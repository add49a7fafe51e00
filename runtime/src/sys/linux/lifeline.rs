//! What binds the life of a child to that of its parent: a pipe to which nobody ever writes.
//!
//! Only the parent holds the write end. When it ends, however it does, the kernel closes that end, and as the read end
//! is armed, kills the child. This costs no thread, and also ends a child that is stopped or never gives up its
//! processor.
//!
//! Not `PR_SET_PDEATHSIG`: that fires when the *thread* ends that has started the child. Not a thread in the child that
//! reads: ten times as dear, and a stopped process has no running thread. Each child has a pipe of its own, because an
//! open file can have one owner to be signalled, and so that a single child can be released from it.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::PipeFlags;
use rustix::process::Pid;

/// `fcntl.h`, the same number on every architecture; not in `libc`.
const F_SETSIG: libc::c_int = 10;

/// The child's end and the parent's.
pub(super) fn new() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?)
}

/// Has the kernel kill the process when the last write end closes.
///
/// Both sides do it: the parent as soon as the process exists, so that it does not depend on what the process does
/// before this library's code runs in it; and the child, as the parent may have ended just before it came to that.
pub(super) fn arm(read_end: &OwnedFd, process: Pid) -> io::Result<()> {
    let set = |command: libc::c_int, argument: libc::c_int| {
        // SAFETY: fcntl(2) with these commands takes an integer and touches no memory of this process.
        if unsafe { libc::fcntl(read_end.as_raw_fd(), command, argument) } < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    };
    set(libc::F_SETOWN, process.as_raw_nonzero().get())?;
    set(F_SETSIG, libc::SIGKILL)?;
    set(libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK)
}

/// Whether the other end of a pipe or socket is closed.
pub(super) fn is_cut(end: &impl AsFd) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A hang-up is reported whether or not it is asked for.
    let mut fds = [PollFd::new(end, PollFlags::empty())];
    rustix::event::poll(&mut fds, Some(&now))?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}
