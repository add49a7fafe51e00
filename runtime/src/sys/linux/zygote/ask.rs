//! The parent's side: asking a zygote for a child.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage};

use super::{BORN, HAS_SHARED, HAS_STREAM, MAX_DESCRIPTORS, NOT_BORN, REPLY_LEN};
use crate::sys::imp::{Process, SEND_FLAGS, Shared, Stream, pipe};
use crate::sys::unix::poll;
use crate::sys::unix::spawn::Source;
use crate::sys::unix::{Handover, Piped};
use crate::sys::{Command, Started};

/// How long to wait before a request is sent again that the system did not take.
const PAUSE: Duration = Duration::from_millis(1);

/// How long the child is asked for again and again, before it is slept for: being woken takes long, and the child would have
/// to do it.
const SOON: Duration = Duration::from_micros(150);

/// A child that a zygote was asked for.
#[derive(Debug)]
pub(crate) struct Requested {
    /// Its read end, to be armed.
    lifeline: OwnedFd,
    held: OwnedFd,
    piped: Piped,
}

/// Asks the zygote at the other end of `zygote` for a child with these streams and this connection; arguments and
/// environment of the command are not looked at. `None` if the zygote is gone, or does not take requests until the deadline.
pub(crate) fn request(
    zygote: &Stream,
    command: &Command,
    handover: &Handover,
    deadline: Instant,
) -> io::Result<Option<Requested>> {
    let (lifeline, held) = pipe()?;
    let directory = directory()?;
    let sources = [Source::of(&command.stdin, 0)?, Source::of(&command.stdout, 1)?, Source::of(&command.stderr, 2)?];
    let mut what = 0;
    let mut fds = vec![handover.fd.as_fd(), lifeline.as_fd(), directory.as_fd()];
    for (source, target) in sources.iter().zip(0..) {
        if let Some(fd) = source.fd().or_else(|| inherited(target)) {
            what |= HAS_STREAM << target;
            fds.push(fd);
        }
    }
    if let Some(shared) = command.shared.as_ref().and_then(Shared::fd) {
        what |= HAS_SHARED;
        fds.push(shared);
    }
    if !send(zygote, what, &fds, deadline)? {
        return Ok(None);
    }
    let [stdin, stdout, stderr] = sources.map(Source::into_parent_end);
    let piped = Piped { stdin: stdin.map(Into::into), stdout: stdout.map(Into::into), stderr: stderr.map(Into::into) };
    Ok(Some(Requested { lifeline, held, piped }))
}

/// This process's directory. A child that is executed works in the same even if its path now leads to another one, or to none, and
/// even if this user may not enter it any more: then its name leads nowhere, and what `/proc` has does.
fn directory() -> rustix::io::Result<OwnedFd> {
    let open = |path: &CStr| rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    match open(c".") {
        Err(Errno::ACCESS) => open(c"/proc/thread-self/cwd"),
        opened => opened,
    }
}

/// This process's stream of that number, as an executed program would have it: not if it is closed, and its number that of
/// something else which closes then.
fn inherited<'a>(number: RawFd) -> Option<BorrowedFd<'a>> {
    // SAFETY: the number is that of a standard stream. If that is closed, or is closed before it is used, the system says so:
    // nothing more than asking and sending is done with it.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)).then_some(fd)
}

/// `false` if nobody takes it.
fn send(zygote: &Stream, what: u8, fds: &[BorrowedFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(fds));
        match rustix::net::sendmsg(zygote, &[IoSlice::new(&[what])], &mut ancillary, SEND_FLAGS) {
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::PIPE | Errno::CONNRESET) => return Ok(false),
            Err(Errno::AGAIN | Errno::TOOMANYREFS) if Instant::now() >= deadline => return Ok(false),
            Err(Errno::AGAIN) => poll(&mut [PollFd::new(zygote, PollFlags::OUT)], Some(deadline))?,
            // So many are on their way already, for this user: the zygote takes them out one by one.
            Err(Errno::TOOMANYREFS) => std::thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
}

impl Requested {
    /// Waits until the child is there. `None` if the zygote was gone before there was one, or there is none at the deadline.
    ///
    /// What the command shares is still to be handed over: the child may be one that is not wanted.
    pub(crate) fn wait(self, stream: &Stream, deadline: Instant) -> io::Result<Option<Started>> {
        let mut reply = [0; REPLY_LEN];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let soon = Instant::now() + SOON;
        let received = loop {
            let pieces = &mut [IoSliceMut::new(&mut reply)];
            match rustix::net::recvmsg(stream, pieces, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => break received.bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if Instant::now() >= deadline => return Ok(None),
                Err(Errno::AGAIN) if Instant::now() < soon => std::thread::yield_now(),
                Err(Errno::AGAIN) => poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(deadline))?,
                // It was gone with what was sent to the child.
                Err(Errno::CONNRESET) => break 0,
                Err(error) => return Err(error.into()),
            }
        };
        let [kind, number @ ..] = reply;
        let number = i32::from_ne_bytes(number);
        match (received, kind) {
            (0, _) => Ok(None),
            (REPLY_LEN, NOT_BORN) => Err(io::Error::from_raw_os_error(number)),
            (REPLY_LEN, BORN) if number > 0 => {
                let pidfd = ancillary.drain().find_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                    _ => None,
                });
                self.born(number.unsigned_abs(), pidfd).map(Some)
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the zygote's reply is none")),
        }
    }

    fn born(self, id: u32, pidfd: Option<OwnedFd>) -> io::Result<Started> {
        let process = match pidfd {
            Some(pidfd) => Process::known(id, pidfd, self.held),
            // There was no room for it.
            None => Process::new(id, self.held)?,
        };
        // The child does so as well. It may have been stopped before it came to that.
        process.arm(&self.lifeline)?;
        Ok(Started { process, piped: self.piped, shared: None })
    }
}
