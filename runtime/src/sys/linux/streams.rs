//! Standard streams for a process that is there already: their descriptors travel over its connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::{Errno, FdFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, recvmsg, sendmsg,
};
use rustix::stdio;

use super::{SEND_FLAGS, Stream};
use crate::sys::unix::Piped;
use crate::sys::unix::spawn::Source;
use crate::sys::{Arrived, Stdio};

/// A message has to have some byte that the descriptors go with.
const MARK: u8 = b'S';

/// How long a process that expects its streams asks for them again and again.
const SOON: Duration = Duration::from_micros(100);

/// What the three standard streams of a child are to be.
pub(crate) struct Streams<'a>([Source<'a>; 3]);

impl<'a> Streams<'a> {
    /// It is an error if one of them is this process's own, and a new process would not get that.
    pub(crate) fn of(streams: [&'a Stdio; 3]) -> io::Result<Self> {
        let [stdin, stdout, stderr] = streams;
        let sources = [Source::of(stdin, 0)?, Source::of(stdout, 1)?, Source::of(stderr, 2)?];
        for (source, own) in sources.iter().zip(own()) {
            if source.fd().is_none() && rustix::io::fcntl_getfd(own)?.contains(FdFlags::CLOEXEC) {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
        Ok(Self(sources))
    }

    /// Sends them.
    pub(crate) fn send(&self, stream: &Stream) -> io::Result<()> {
        let fds: Vec<_> = self.0.iter().zip(own()).map(|(source, own)| source.fd().unwrap_or(own)).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(stream, &[IoSlice::new(&[MARK])], &mut ancillary, SEND_FLAGS)?;
        Ok(())
    }

    pub(crate) fn into_parent_ends(self) -> Piped {
        let [stdin, stdout, stderr] = self.0.map(|source| source.into_parent_end());
        Piped { stdin: stdin.map(Into::into), stdout: stdout.map(Into::into), stderr: stderr.map(Into::into) }
    }
}

fn own() -> [BorrowedFd<'static>; 3] {
    [stdio::stdin(), stdio::stdout(), stdio::stderr()]
}

/// In the child: waits for a word, which is given, or for its standard streams, which are put in place. `soon` if they are
/// about to come: to fall asleep once more, and be woken, would take longer.
pub(crate) fn receive_streams(stream: &Stream, soon: bool) -> io::Result<Arrived> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut mark = [0];
    let mut parts = [IoSliceMut::new(&mut mark)];
    let until = soon.then(|| Instant::now() + SOON);
    let message = loop {
        let is_soon = until.is_some_and(|until| Instant::now() < until);
        let flags = if is_soon { RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT } else { RecvFlags::CMSG_CLOEXEC };
        match recvmsg(stream, &mut parts, &mut ancillary, flags) {
            Ok(message) => break message,
            // To the parent, if there is but one processor.
            Err(Errno::AGAIN) => std::thread::yield_now(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if message.bytes == 0 {
        return Ok(Arrived::End);
    }
    let mut fds: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if mark != [MARK] {
        return Ok(Arrived::Word(mark[0]));
    }
    let fds: [OwnedFd; 3] = fds.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // One may have got a number that another is to be put under.
    let mut above = Vec::with_capacity(3);
    for fd in fds {
        above.push(if fd.as_raw_fd() > 2 { fd } else { rustix::io::fcntl_dupfd_cloexec(&fd, 3)? });
    }
    stdio::dup2_stdin(above[0].as_fd())?;
    stdio::dup2_stdout(above[1].as_fd())?;
    stdio::dup2_stderr(above[2].as_fd())?;
    Ok(Arrived::Streams)
}
