//! What starting a program takes beyond POSIX.

use std::ffi::CStr;
use std::io;
use std::os::fd::{OwnedFd, RawFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::sys::unix::FileActions;

/// The very file that this process runs, even if it was replaced or deleted since: the link belongs to the memory
/// map, which the child shares until it executes.
pub(in crate::sys) fn program() -> io::Result<&'static CStr> {
    Ok(c"/proc/self/exe")
}

/// What to do if there is no such file.
pub(in crate::sys) const NOT_FOUND_HINT: &str = "; is `/proc` mounted?";

/// None beyond POSIX.
pub(in crate::sys) const SPAWN_FLAGS: libc::c_int = 0;

/// Hands a descriptor over under its own number: from glibc 2.29 on that clears CLOEXEC, in the child alone.
pub(in crate::sys) fn keep(actions: &mut FileActions, fd: RawFd) -> io::Result<()> {
    actions.duplicate(fd, fd)
}

/// The child has the parent's stream without further ado.
pub(in crate::sys) fn keep_stream(_: &mut FileActions, _: RawFd) -> io::Result<()> {
    Ok(())
}

/// Signals that nobody ignores for the sake of a child.
pub(in crate::sys) fn more_never_ignored() -> impl Iterator<Item = libc::c_int> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// A pipe that no program inherits: the end to be read and the one to be written.
pub(in crate::sys) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?)
}

/// Two connected sockets that no program inherits.
pub(in crate::sys) fn socket_pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

/// A closed connection is an error, never a signal.
pub(in crate::sys) const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;

/// No program inherits what arrives.
pub(in crate::sys) const RECEIVE_FLAGS: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// Whether it is a socket that listens.
pub(in crate::sys) fn accepts_connections(socket: &OwnedFd) -> io::Result<Option<bool>> {
    Ok(Some(rustix::net::sockopt::socket_acceptconn(socket)?))
}

/// The flag above has done it.
pub(in crate::sys) fn protect(_: &[OwnedFd]) -> io::Result<()> {
    Ok(())
}
