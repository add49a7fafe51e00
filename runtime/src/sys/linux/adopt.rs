//! Becoming a child: finding the parent's connection again, and dying with the parent.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::FileType;
use rustix::io::FdFlags;

use super::{Stream, lifeline};

/// Whether this process runs with more rights than the one that started it gave: set-user-id, capabilities. Its
/// environment is then not to be believed.
pub(crate) fn has_raised_privileges() -> bool {
    // SAFETY: getauxval(3) looks up a number; there are no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Takes over the connection that `place` (what follows the token in the variable) describes, and binds the life of
/// this process to that of its parent. `None` if the parent has ended. The error is for the person who has set the
/// variable by hand.
///
/// The environment alone is no proof: the descriptor must be a socket whose other end was made by this process's
/// parent.
pub(crate) fn adopt(place: &OsStr) -> Result<Option<Adopted>, String> {
    let (connection, lifeline) = place
        .to_str()
        .and_then(|place| place.split_once(';'))
        .and_then(|(connection, lifeline)| Some((connection.parse().ok()?, lifeline.parse().ok()?)))
        .filter(|&(connection, lifeline): &(RawFd, RawFd)| connection > 2 && lifeline > 2 && connection != lifeline)
        .ok_or("it is malformed")?;
    check_type(connection, FileType::Socket).ok_or("it names a descriptor that is no connection")?;
    check_type(lifeline, FileType::Fifo).ok_or("it names a descriptor that is no lifeline")?;
    // SAFETY: the number is an open descriptor of the right type, see above. The parent opened it for this code in this
    // process alone; what ran before (constructors, at most) has no reason to own it.
    let connection = unsafe { OwnedFd::from_raw_fd(connection) };
    // SAFETY: as above, and it is another number.
    let lifeline = unsafe { OwnedFd::from_raw_fd(lifeline) };

    if !comes_from_parent(&connection).ok_or("it names a socket of another kind")? {
        return Err("the process that made this connection is not this process's parent".into());
    }
    let failed = |error| format!("the connection cannot be prepared: {error}");
    // `posix_spawn` had to clear the flag; a grandchild must not get them.
    for fd in [&connection, &lifeline] {
        rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    }
    lifeline::arm(&lifeline, rustix::process::getpid()).map_err(failed)?;
    // Had the parent ended before, no signal would come.
    if lifeline::is_cut(&lifeline).map_err(failed)? {
        return Ok(None);
    }
    // Open until the process ends.
    std::mem::forget(lifeline);
    let inode = rustix::fs::fstat(&connection).map_err(|error| failed(error.into()))?.st_ino;
    Ok(Some(Adopted { stream: Stream::new(connection), inode }))
}

/// A child's end of its connection.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    inode: u64,
}

impl Adopted {
    /// Whether the stream is still what was adopted. An entry that closes descriptors it does not know may since have
    /// opened a file under the same number, and a result must not be written into that.
    pub(crate) fn is_intact(&self) -> bool {
        rustix::fs::fstat(&self.stream).is_ok_and(|stat| stat.st_ino == self.inode)
    }
}

/// Whether the other end was made by this process's parent; or by one that is gone, as that of a child that was
/// detached at once: its end is then closed, and all that can come is the call that it has left.
fn comes_from_parent(connection: &OwnedFd) -> Option<bool> {
    let peer = rustix::net::sockopt::socket_peercred(connection).ok()?;
    Some(rustix::process::getppid() == Some(peer.pid) || lifeline::is_cut(connection).ok()?)
}

fn check_type(fd: RawFd, wanted: FileType) -> Option<()> {
    // SAFETY: the borrow does not outlive this function, and the only use of it is to ask what the number is: if
    // nothing is open there, fstat(2) says so.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let stat = rustix::fs::fstat(fd).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == wanted).then_some(())
}

/// The name under which the system lists this process.
pub(crate) fn process_name() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned()
}

/// Sets the name under which the system lists this process; it keeps the first 15 bytes.
pub(crate) fn set_process_name(name: &str) {
    if let Ok(name) = std::ffi::CString::new(name) {
        // A name is for people: a system that refuses it is no reason to fail.
        let _ = rustix::thread::set_name(&name);
    }
}

/// What std does on the way to `main`, and has not done yet in a process that never gets there.
pub(crate) fn prepare_before_main() {
    // SAFETY: signal(2) with SIG_IGN installs no function. No other thread runs yet that could do the same.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
