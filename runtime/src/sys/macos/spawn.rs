//! What starting a program takes beyond POSIX.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::OnceLock;

use rustix::io::FdFlags;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::sys::unix::FileActions;
use crate::sys::unix::spawn::check;

/// This program's file, by the path that it was started from. If that was replaced since, the child is another build and
/// says so.
pub(in crate::sys) fn program() -> io::Result<&'static CStr> {
    static PATH: OnceLock<CString> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path);
    }
    // A relative path would not survive a change of the working directory.
    let path = std::env::current_exe()?.canonicalize()?;
    let path = CString::new(path.into_os_string().into_vec())?;
    Ok(PATH.get_or_init(|| path))
}

/// What to do if there is no such file.
pub(in crate::sys) const NOT_FOUND_HINT: &str = "; was the program's file moved or deleted?";

/// posix_spawnattr_setflags(3): only the descriptors that file actions name are open in the child, whatever other
/// threads open meanwhile.
pub(in crate::sys) const SPAWN_FLAGS: libc::c_int = libc::POSIX_SPAWN_CLOEXEC_DEFAULT;

unsafe extern "C" {
    /// posix_spawn_file_actions_addinherit_np(3), of `spawn.h`.
    fn posix_spawn_file_actions_addinherit_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        fd: libc::c_int,
    ) -> libc::c_int;
}

/// Hands a descriptor over under its own number.
pub(in crate::sys) fn keep(actions: &mut FileActions, fd: RawFd) -> io::Result<()> {
    // SAFETY: the object is initialized; the call only records the number.
    check(unsafe { posix_spawn_file_actions_addinherit_np(&raw mut *actions.0, fd) })
}

/// The child has the parent's stream, if that is open: a number that is not would be an error of the start.
pub(in crate::sys) fn keep_stream(actions: &mut FileActions, fd: RawFd) -> io::Result<()> {
    // SAFETY: fcntl(2) with F_GETFD touches no memory, and fails for a number that is no open descriptor.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 { Ok(()) } else { keep(actions, fd) }
}

/// There are no others.
pub(in crate::sys) fn more_never_ignored() -> impl Iterator<Item = libc::c_int> {
    std::iter::empty()
}

/// A pipe: the end to be read and the one to be written. Another program that is started between the two steps by
/// other means than this library's inherits it: there is no call that does both.
pub(in crate::sys) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe()?;
    close_on_exec([&read, &write])?;
    Ok((read, write))
}

/// Two connected sockets; with the same reservation.
pub(in crate::sys) fn socket_pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?;
    close_on_exec([&pair.0, &pair.1])?;
    // getsockopt(2), SO_NOSIGPIPE: a closed connection is an error, never a signal.
    rustix::net::sockopt::set_socket_nosigpipe(&pair.0, true)?;
    rustix::net::sockopt::set_socket_nosigpipe(&pair.1, true)?;
    Ok(pair)
}

fn close_on_exec(ends: [&OwnedFd; 2]) -> io::Result<()> {
    ends.iter().try_for_each(|end| Ok(rustix::io::fcntl_setfd(end.as_fd(), FdFlags::CLOEXEC)?))
}

/// See [`socket_pair`].
pub(in crate::sys) const SEND_FLAGS: SendFlags = SendFlags::empty();

/// There is none that concerns descriptors.
pub(in crate::sys) const RECEIVE_FLAGS: RecvFlags = RecvFlags::empty();

/// `getsockopt(2)` knows no option that tells whether a socket listens.
pub(in crate::sys) fn accepts_connections(_: &OwnedFd) -> io::Result<Option<bool>> {
    Ok(None)
}

/// No program inherits what has arrived; with the reservation of [`pipe`].
pub(in crate::sys) fn protect(handles: &[OwnedFd]) -> io::Result<()> {
    handles.iter().try_for_each(|handle| Ok(rustix::io::fcntl_setfd(handle, FdFlags::CLOEXEC)?))
}
