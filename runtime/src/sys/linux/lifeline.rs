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

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage};
use rustix::process::Pid;

use super::{SEND_FLAGS, Stream};
use crate::sys::unix::is_cut;

/// `fcntl.h`, the same number on every architecture; not in `libc`.
const F_SETSIG: libc::c_int = 10;

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

/// Puts the end that is held into the queue of the child's connection, where it stays open as long as the child's end.
pub(super) fn park(held: &OwnedFd, stream: &Stream) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [held.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(stream, &[IoSlice::new(&[0])], &mut ancillary, SEND_FLAGS)?;
    Ok(())
}

/// In the child: has the kernel kill this process when its parent ends. `false` if it has ended before: then no
/// signal would come.
pub(in crate::sys) fn hold_on(lifeline: OwnedFd) -> io::Result<bool> {
    arm(&lifeline, rustix::process::getpid())?;
    let is_cut = is_cut(&lifeline)?;
    // Open until the process ends.
    std::mem::forget(lifeline);
    Ok(!is_cut)
}
