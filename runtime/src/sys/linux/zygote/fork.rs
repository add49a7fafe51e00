//! The zygote's side: waiting for requests, and becoming a child.

#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use rustix::io::{Errno, FdFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage};
use rustix::process::PidfdFlags;

use super::surroundings::Surroundings;
use super::{BORN, HAS_SHARED, HAS_STREAM, MAX_DESCRIPTORS, NOT_BORN, REPLY_LEN};
use crate::sys::imp::inherited::here;
use crate::sys::imp::status::Status;
use crate::sys::imp::{SEND_FLAGS, Shared, lifeline};
use crate::sys::unix::{Adopted, Stream, identity, identity_in, set_environment};

/// This process, which forks on request.
#[derive(Debug)]
pub(crate) struct Forker {
    library: Library,
    /// The signals that were blocked when it began.
    blocked: libc::sigset_t,
    /// The signals that it ignores, a bit for each.
    ignored: u64,
}

/// What the C library keeps of its main thread, and a copy of the process must set right.
#[derive(Clone, Copy, Debug)]
struct Library {
    /// Where the thread's id is.
    thread_id: *mut libc::pid_t,
    /// The head of its list of robust locks, and the size of that.
    robust_list: (usize, usize),
}

impl Forker {
    /// Makes a zygote of this process, whose connection is given. The error says why it cannot be one.
    pub(crate) fn new(adopted: &Adopted) -> Result<Self, String> {
        let failed = |error: io::Error| format!("the system refuses what it needs: {error}");
        let status = Status::now().map_err(failed)?;
        let threads = status.number("Threads:").ok_or("`/proc` does not tell how many threads it has")?;
        if threads != 1 {
            return Err(format!(
                "it has {threads} threads before `main`, which a library of the program, or a tool that watches it, has \
                 started, and a copy of the process would have one of them only"
            ));
        }
        let library = Library::now()?;
        close_inherited(&[adopted.stream.as_fd().as_raw_fd(), adopted.lifeline]).map_err(failed)?;
        Ok(Self { library, blocked: block_signals(), ignored: status.ignored() })
    }

    /// Waits for requests. Returns in each process that is forked for one; `None` in the zygote, when the parent is gone.
    pub(crate) fn next(self, adopted: Adopted) -> Option<Newborn> {
        loop {
            let request = receive(&adopted.stream)?;
            // SAFETY: this process has one thread, as it had when it began: since then it has run this loop. So nothing is in
            // the middle of something, and the copy may do whatever this process could.
            match unsafe { self.library.fork() } {
                Ok(true) => return Some(self.born(adopted, request)),
                Ok(false) => {}
                Err(error) => refuse(&request, error),
            }
        }
    }

    /// In the new process: lets go of what is the zygote's, and takes what is its own.
    fn born(self, zygote: Adopted, request: Request) -> Newborn {
        let Self { library, blocked, ignored } = self;
        // SAFETY: the descriptor was adopted by this process's original, which alone uses it, and here nobody does.
        drop(unsafe { OwnedFd::from_raw_fd(zygote.lifeline) });
        drop(zygote);
        let connection = request.connection;
        announce(&connection);
        let taken = library.repair().and_then(|()| take_streams(request.streams)).and_then(|()| {
            take_directory(&request.directory)?;
            request.shared.map(Shared::adopt).transpose()
        });
        let (shared, failure) = match taken {
            Ok(shared) => (shared, None),
            Err(error) => (None, Some(error)),
        };
        let lifeline = request.lifeline.as_raw_fd();
        let is_held = lifeline::hold_on(request.lifeline);
        let identity = identity(&connection);
        let adopted = Adopted::new(Stream::new(connection, None), identity, lifeline, shared);
        Newborn { adopted, is_held, failure, blocked, ignored }
    }
}

/// A process that was just forked: it has its connection, streams and directory.
#[derive(Debug)]
pub(crate) struct Newborn {
    adopted: Adopted,
    /// Whether its parent lives.
    is_held: io::Result<bool>,
    failure: Option<io::Error>,
    blocked: libc::sigset_t,
    ignored: u64,
}

impl Newborn {
    /// Its connection, from which its surroundings are to be read.
    pub(crate) fn adopted(&self) -> &Adopted {
        &self.adopted
    }

    /// Whether the parent has ended before it could take this process along.
    pub(crate) fn is_orphan(&self) -> bool {
        matches!(self.is_held, Ok(false))
    }

    /// Makes the process what an executed child is, by the encoded [`Surroundings`] of its parent.
    pub(crate) fn settle(self, surroundings: Vec<u8>) -> (Adopted, io::Result<()>) {
        let Self { adopted, is_held, failure, blocked, ignored } = self;
        let done = failure.map_or(is_held, Err).and_then(|_| enter(surroundings, ignored));
        // The system call itself: the function stands in a page of the C library that nothing else here needs, and a page costs
        // more than ten system calls.
        let nowhere = ptr::null_mut::<libc::sigset_t>();
        // SAFETY: rt_sigprocmask(2) reads a set of this size, which is the beginning of the C library's; that was filled by
        // `block_signals`. The old one is not asked for.
        unsafe {
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const blocked, nowhere, KERNEL_SIGNALS_LEN);
        }
        (adopted, done)
    }
}

/// The size of a set of signals as the kernel has it.
const KERNEL_SIGNALS_LEN: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 16 } else { 8 };

fn enter(mut surroundings: Vec<u8>, ignored: u64) -> io::Result<()> {
    let Some(head) = surroundings.first_chunk() else { return Err(io::ErrorKind::InvalidData.into()) };
    Surroundings::enter(head, ignored)?;
    if Surroundings::has_environment(head) {
        set_environment(surroundings.split_off(Surroundings::LEN));
    }
    Ok(())
}

/// What comes with a request.
struct Request {
    connection: OwnedFd,
    lifeline: OwnedFd,
    directory: OwnedFd,
    streams: [Option<OwnedFd>; 3],
    shared: Option<OwnedFd>,
}

/// The next request; `None` if the parent is gone, or sends something else.
fn receive(stream: &Stream) -> Option<Request> {
    loop {
        let mut what = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let pieces = &mut [IoSliceMut::new(&mut what)];
        let received = match rustix::net::recvmsg(stream, pieces, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(received) if received.bytes == 1 => received,
            Err(Errno::INTR) => continue,
            _ => return None,
        };
        // Not on the heap, whose pages would have to be copied in the zygote as well.
        let mut received_fds = [const { None }; MAX_DESCRIPTORS];
        let mut places = received_fds.iter_mut();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                places.by_ref().zip(fds).for_each(|(place, fd)| *place = Some(fd));
            }
        }
        let mut fds = received_fds.into_iter().flatten();
        // Each is there, unless this process has no room for it: then none of those behind it is.
        let connection = fds.next();
        let mut others = || {
            let (lifeline, directory) = (fds.next()?, fds.next()?);
            let mut streams = [None, None, None];
            for (stream, target) in streams.iter_mut().zip(0..) {
                if what[0] & HAS_STREAM << target != 0 {
                    *stream = Some(fds.next()?);
                }
            }
            let shared = if what[0] & HAS_SHARED != 0 { Some(fds.next()?) } else { None };
            Some((lifeline, directory, streams, shared))
        };
        match (others(), connection) {
            (Some((lifeline, directory, streams, shared)), Some(connection)) => {
                return Some(Request { connection, lifeline, directory, streams, shared });
            }
            (None, Some(connection)) => {
                debug_assert!(received.flags.contains(rustix::net::ReturnFlags::CTRUNC));
                reply(&connection, NOT_BORN, libc::EMFILE, &[]);
            }
            // The parent sees its connection closed.
            (_, None) => {}
        }
    }
}

fn refuse(request: &Request, error: Errno) {
    reply(&request.connection, NOT_BORN, error.raw_os_error(), &[]);
}

/// Tells the parent which process this is.
fn announce(connection: &OwnedFd) {
    let this = rustix::process::getpid();
    // Should there be no room for it, the parent finds the process by its id.
    let pidfd = rustix::process::pidfd_open(this, PidfdFlags::empty()).ok();
    let fds = pidfd.as_ref().map(|fd| fd.as_fd());
    reply(connection, BORN, this.as_raw_nonzero().get(), fds.as_slice());
}

/// A parent that does not listen has ended.
fn reply(connection: &OwnedFd, kind: u8, number: i32, fds: &[BorrowedFd<'_>]) {
    let mut reply = [kind; REPLY_LEN];
    reply[1..].copy_from_slice(&number.to_ne_bytes());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
    }
    let _ = rustix::net::sendmsg(connection, &[IoSlice::new(&reply)], &mut ancillary, SEND_FLAGS);
}

/// Puts the streams in their places. Where the parent has none, `/dev/null` stays, which std would open as well.
fn take_streams(streams: [Option<OwnedFd>; 3]) -> io::Result<()> {
    for (stream, target) in streams.into_iter().zip(0..) {
        if let Some(stream) = stream {
            // SAFETY: dup2(2) touches no memory. What it closes is `/dev/null`, which this process was given as a stream and
            // nothing else uses. All others have numbers above, as these three are taken.
            check(unsafe { libc::dup2(stream.as_raw_fd(), target) }.into())?;
        }
    }
    Ok(())
}

/// Goes to the directory; one that this user may not enter is right if this process was started in it.
fn take_directory(directory: &OwnedFd) -> io::Result<()> {
    match rustix::process::fchdir(directory) {
        Err(Errno::ACCESS) if identity(directory) == Some(identity_in(&here()?)) => Ok(()),
        done => Ok(done?),
    }
}

/// Closes what has survived the execution of this program: the descriptors without CLOEXEC, but for the standard streams and
/// those that are `own`.
fn close_inherited(own: &[RawFd]) -> io::Result<()> {
    let numbers: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2 && !own.contains(number))
        .collect();
    for number in numbers {
        // SAFETY: the borrow does not outlive this block. The number was open a moment ago, and if it is not any more (it was
        // that of the list), the system says so.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        if rustix::io::fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
            // SAFETY: whoever started this program has left it open. Nothing in it can know of that: `main` has not run.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    Ok(())
}

/// Blocks all signals; gives what was blocked before.
fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: sigfillset(3) initializes the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` is initialized; pthread_sigmask(3) initializes `before`, and fails only for an unknown command.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    // SAFETY: it was initialized above.
    unsafe { before.assume_init() }
}

/// `linux/prctl.h`.
const PR_GET_TID_ADDRESS: libc::c_int = 40;

impl Library {
    fn now() -> Result<Self, String> {
        // Room for two: a kernel of 64 bits writes 8 bytes, also to a program of 32, and then the other half is zero.
        let mut told: [*mut libc::pid_t; 2] = [ptr::null_mut(); 2];
        // SAFETY: prctl(2) with this command writes the address that the C library has told the kernel at its start, of this
        // machine's size or of twice that, to the variable, which has that size at least.
        let done = unsafe { libc::prctl(PR_GET_TID_ADDRESS, told.as_mut_ptr()) };
        let thread_id = told.into_iter().find(|place| !place.is_null()).unwrap_or(ptr::null_mut());
        // SAFETY: if it is not null, the kernel may write a thread's id there when the thread ends, so it is memory of the C
        // library for that, mapped as long as this thread lives, and written by no other.
        let found = (done == 0 && !thread_id.is_null()).then(|| unsafe { thread_id.read() });
        if found != Some(rustix::thread::gettid().as_raw_nonzero().get()) {
            return Err(
                "the kernel does not tell where the C library keeps the id of its thread (it was built without \
                        CONFIG_CHECKPOINT_RESTORE), and in a copy of the process that would be wrong"
                    .into(),
            );
        }
        let mut robust_list = (0_usize, 0_usize);
        // SAFETY: get_robust_list(2) writes an address and a size to the variables. Where it fails there is no list.
        unsafe {
            libc::syscall(libc::SYS_get_robust_list, 0, &raw mut robust_list.0, &raw mut robust_list.1);
        }
        Ok(Self { thread_id, robust_list })
    }

    /// Makes a child of this process's parent. `true` in the new process.
    ///
    /// # Safety
    /// As for fork(2): nothing may be in the middle of something that another thread would have to finish.
    unsafe fn fork(&self) -> Result<bool, Errno> {
        // As fork(2) has it: the kernel writes the new thread's id to where the library keeps it, and tells when it ends.
        let flags = libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
        let (flags, no_stack) = (flags as libc::c_long, 0 as libc::c_long);
        // On this processor the first two arguments are the other way round.
        let (first, second) = if cfg!(target_arch = "s390x") { (no_stack, flags) } else { (flags, no_stack) };
        let nowhere = ptr::null_mut::<libc::pid_t>();
        // SAFETY: without CLONE_VM, clone(2) makes a copy of the process, as fork(2) does, which goes on here on its own copy of
        // the stack. The caller vouches for the state that the copy is in. The place for the id is the C library's own for
        // that. Of the last two arguments one is that place, and the other, for thread-local storage, is not looked at without
        // CLONE_SETTLS: which is which depends on the processor.
        let id = unsafe { libc::syscall(libc::SYS_clone, first, second, nowhere, self.thread_id, self.thread_id) };
        match id {
            0 => Ok(true),
            1.. => Ok(false),
            _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::AGAIN)),
        }
    }

    /// In the new process: what fork(3) does after fork(2).
    fn repair(&self) -> io::Result<()> {
        let (head, size) = self.robust_list;
        if head == 0 {
            return Ok(());
        }
        // SAFETY: set_robust_list(2) notes an address, which is that of the list of this thread in the original, and so in
        // this copy of it. The list is empty: nothing has locked anything.
        check(unsafe { libc::syscall(libc::SYS_set_robust_list, head, size) })
    }
}

fn check(done: libc::c_long) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
