//! Becoming a child: finding the parent's connection again, and dying with the parent.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use rustix::io::FdFlags;

use super::Stream;

/// Whether this process runs with more rights than the one that started it gave: set-user-id, capabilities. Its
/// environment is then not to be believed.
pub(crate) fn has_raised_privileges() -> bool {
    // SAFETY: getauxval(3) looks up a number; there are no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Takes over the connection that `place` (what follows the token in the variable) describes, and binds the life of
/// this process to that of its parent. The error is for the person who has set the variable by hand.
///
/// The environment alone is no proof: the descriptor must be a socket whose other end was made by this process's
/// parent.
pub(crate) fn adopt(place: &OsStr) -> Result<Adopted, String> {
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

    let peer = rustix::net::sockopt::socket_peercred(&connection).map_err(|_| "it names a socket of another kind")?;
    if rustix::process::getppid() != Some(peer.pid) {
        return Err("the process that set it is not this process's parent, or has ended".into());
    }
    // `posix_spawn` had to clear the flag; a grandchild must not get them.
    for fd in [&connection, &lifeline] {
        rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    }
    die_with(lifeline).map_err(|error| format!("the lifeline cannot be armed: {error}"))?;
    let inode = rustix::fs::fstat(&connection).map_err(|error| error.to_string())?.st_ino;
    Ok(Adopted { stream: Stream::new(connection), inode })
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

fn check_type(fd: RawFd, wanted: FileType) -> Option<()> {
    // SAFETY: the borrow does not outlive this function, and the only use of it is to ask what the number is: if
    // nothing is open there, fstat(2) says so.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let stat = rustix::fs::fstat(fd).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == wanted).then_some(())
}

/// `fcntl.h`, the same number on every architecture; not in `libc`.
const F_SETSIG: libc::c_int = 10;

/// Has the kernel kill this process when the last write end of the pipe closes, that is, when the parent ends, however
/// it does.
///
/// Not `PR_SET_PDEATHSIG`: that fires when the *thread* ends that has started this process. Not a thread that reads:
/// it costs ten times as much, and this also ends a process that is stopped or never gives up its processor. The read
/// end is open in this process only, so that it alone is the owner that gets the signal.
fn die_with(lifeline: OwnedFd) -> io::Result<()> {
    let fd = lifeline.as_raw_fd();
    let arm = |command: libc::c_int, argument: libc::c_int| {
        // SAFETY: fcntl(2) with these commands takes an integer and touches no memory of this process.
        if unsafe { libc::fcntl(fd, command, argument) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    arm(libc::F_SETOWN, rustix::process::getpid().as_raw_nonzero().get())?;
    arm(F_SETSIG, libc::SIGKILL)?;
    arm(libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK)?;
    // Had the parent ended before, no signal would come.
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut hung_up = [PollFd::new(&lifeline, PollFlags::IN)];
    if rustix::event::poll(&mut hung_up, Some(&now))? > 0 {
        return Err(io::Error::other("the parent has ended"));
    }
    // Open until the process ends.
    std::mem::forget(lifeline);
    Ok(())
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
