//! Becoming a child: finding the parent's connection again, and dying with the parent.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::FileType;
use rustix::io::FdFlags;

use super::{Shared, Stream, lifeline};

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
    let (connection, lifeline, shared) = place.to_str().and_then(numbers).ok_or("it is malformed")?;
    if let Some(shared) = shared {
        check_type(shared, FileType::RegularFile).ok_or("it names a descriptor that is no shared memory")?;
    }
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
    // SAFETY: as above, and it is a third number.
    let shared = shared.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let failed = |error| format!("the connection cannot be prepared: {error}");
    let shared = shared.map(Shared::adopt).transpose().map_err(failed)?;
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
    let identity = identity(&connection).ok_or("the connection has no identity")?;
    Ok(Some(Adopted { stream: Stream::new(connection), shared, identity, process: std::process::id(), mark: None }))
}

/// Connection and lifeline, and shared memory where there is some: different numbers above those of the standard streams.
fn numbers(place: &str) -> Option<(RawFd, RawFd, Option<RawFd>)> {
    let mut numbers = place.split(';').map(|number| number.parse().ok().filter(|&number: &RawFd| number > 2));
    let (connection, lifeline) = (numbers.next()??, numbers.next()??);
    let shared = match numbers.next() {
        Some(shared) => Some(shared?),
        None => None,
    };
    let differ = connection != lifeline && shared.is_none_or(|shared| shared != connection && shared != lifeline);
    (differ && numbers.next().is_none()).then_some((connection, lifeline, shared))
}

/// A child's end of its connection.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    /// The memory that it shares with its parent, if the parent asked for some.
    pub(crate) shared: Option<Shared>,
    /// The device and number of the socket.
    identity: (u64, u64),
    process: u32,
    mark: Option<&'static AtomicU32>,
}

impl Adopted {
    /// Whether the stream is still what was adopted. An entry that closes descriptors it does not know may since have
    /// opened a file under the same number, and a result must not be written into that.
    pub(crate) fn is_intact(&self) -> bool {
        identity(&self.stream) == Some(self.identity)
    }

    /// The process will ask often whether it [is ours](Self::is_ours).
    pub(crate) fn prepare_to_stay(&mut self) {
        self.mark = mark();
    }

    /// Whether this process is the one that was started, and not a copy of it that the entry has forked.
    pub(crate) fn is_ours(&self) -> bool {
        match self.mark {
            Some(mark) => mark.load(Ordering::Relaxed) != 0,
            None => std::process::id() == self.process,
        }
    }
}

/// Memory that holds 1 here, and 0 in any copy of this process: asking for the process id would be a system call for each
/// task of a worker. `None` where the system has no such memory (before Linux 4.14).
fn mark() -> Option<&'static AtomicU32> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address of the system's choice replaces none.
    let page = unsafe { libc::mmap(ptr::null_mut(), size_of::<AtomicU32>(), protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the page was just mapped, and nothing uses it yet.
    if unsafe { libc::madvise(page, size_of::<AtomicU32>(), libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above, and nothing will use it.
        unsafe { libc::munmap(page, size_of::<AtomicU32>()) };
        return None;
    }
    // SAFETY: the page is aligned, zeroed, mapped until the process ends, and reached through this reference only.
    let mark = unsafe { &*page.cast::<AtomicU32>() };
    mark.store(1, Ordering::Relaxed);
    Some(mark)
}

fn identity(fd: &impl AsFd) -> Option<(u64, u64)> {
    rustix::fs::fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

/// Whether the other end was made by this process's parent; or by one that is gone, as that of a child that was
/// detached at once: its end is then closed, and all that can come is the call that it has left. In a new process
/// namespace the parent has the number 0 on both sides.
fn comes_from_parent(connection: &OwnedFd) -> Option<bool> {
    let maker = maker(connection)?;
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    Some(parent == maker || lifeline::is_cut(connection).ok()?)
}

/// The process that has made a socket pair. Not by `rustix`, which has no process 0.
fn maker(socket: &OwnedFd) -> Option<libc::pid_t> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of_val(&credentials) as libc::socklen_t;
    // SAFETY: getsockopt(2) writes at most `len` bytes, the size of the variable, and the length; both are borrowed
    // for the call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut len,
        )
    };
    (done == 0 && len as usize == size_of_val(&credentials)).then_some(credentials.pid)
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
