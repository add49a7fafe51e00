//! Who this process is, and who has made its connection.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

/// Whether this process runs with more rights than the one that started it gave. Its environment is then not to be
/// believed.
pub(crate) fn has_raised_privileges() -> bool {
    // SAFETY: issetugid(2) has no preconditions and never fails.
    unsafe { libc::issetugid() != 0 }
}

/// The process that has the other end of a socket pair: only its maker ever uses it. Not known once that is closed.
pub(in crate::sys) fn maker(socket: &OwnedFd) -> Option<libc::pid_t> {
    let mut pid: libc::pid_t = 0;
    let mut len = size_of_val(&pid) as libc::socklen_t;
    // SAFETY: getsockopt(2) with LOCAL_PEERPID (`sys/un.h`) writes at most `len` bytes, the size of the variable, and
    // the length; both are borrowed for the call.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_LOCAL, libc::LOCAL_PEERPID, (&raw mut pid).cast(), &raw mut len)
    };
    (done == 0 && len as usize == size_of_val(&pid)).then_some(pid)
}

/// The system lists processes under the names of their files: nothing that a child would have to be told.
pub(crate) fn process_name() -> String {
    String::new()
}

/// There is no documented way to change it.
pub(crate) fn set_process_name(_: &str) {}

/// Memory that a copy of this process would find wiped: not here.
pub(in crate::sys) fn mark() -> Option<&'static std::sync::atomic::AtomicU32> {
    None
}
