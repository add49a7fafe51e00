//! A queue of packets between any processes, of nothing that Linux and macOS do not both have: a pair of datagram sockets.
//!
//! It is macOS' queue, where local sockets have no `SOCK_SEQPACKET`. With `--cfg spawnsafe_datagram_queue` it is Linux' as
//! well, so that the tests of channels say there what they would say of it on macOS.
//!
//! **Each packet is one datagram**, descriptors included: one call sends it, and one call takes it. Whoever is killed has
//! made that call or has not; nothing is locked, nothing is half done, and there is nothing to be mended by others. What such
//! a pair lacks:
//! - **It tells no end.** So a pipe goes along, into which nobody writes: whoever sends has the end to be written, and whoever
//!   receives the other, which tells when the last of the first is closed. That nobody receives any more is an error of
//!   sending.
//! - **It does not wait for room.** A full queue is an error, on macOS always the same one as if the kernel were out of memory
//!   (`ENOBUFS`), and no call tells that there is room again. Whoever waits looks every 2 ms, as on Windows.
//! - **What is taken, is taken.** macOS gives a process all descriptors of a datagram or, if there is no room, none, and then they
//!   are lost. So the first byte of each says how many come with it; it is looked at, and whether there is room for so many is
//!   tried, before the datagram is taken.
//! - **Sockets on their way** need an `anchor`, which is the third descriptor of the end that receives.
//!
//! That a local datagram which was sent without an error arrives, in its order, is what Linux' unix(7) says "as on most UNIX
//! implementations". Apple's pages do not say it; xnu puts the datagram into the receiver's queue before the call returns, or
//! returns an error (`uipc_send`, `sbappendaddr`).
//!
//! Rejected: a stream with the length before each packet, which is reliable by every page. Senders need a lock that the system
//! lets go with its holder, and there is none for this. Record locks (`fcntl`) are the process's, which loses all of a file when
//! it closes any descriptor of that, say one that has arrived in a message; `flock` belongs to the open file, which all
//! processes share that have got the descriptor; and robust mutexes are missing on macOS. Without one, somebody who is killed
//! within a packet leaves a half of it between those of others. Rejected as well: a pipe, which takes up to `PIPE_BUF` bytes at
//! once whoever writes beside it, and is not emptied on its way. That is 512 bytes on macOS, and no descriptor: anything longer
//! would go through a socket after all, and there would be two queues to keep in one order.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketType, sockopt,
};

use super::anchor::anchor;
use super::poll;
use crate::sys::imp::{RECEIVE_FLAGS, SEND_FLAGS, pipe, protect, socket_pair};
use crate::sys::{OwnedHandle, Packet, Patience, time_left};

/// How many handles one packet can have.
pub(crate) const PACKET_HANDLES: usize = 253;

/// How long whoever waits for room sleeps before it looks again.
pub(super) const AGAIN: Duration = Duration::from_millis(2);

/// The least room of a queue, and the most, in bytes.
const ROOM: RangeInclusive<usize> = 4608..=1 << 30;

/// More than a datagram takes beside its bytes: a name, and its descriptors, which the kernel keeps as addresses.
const BESIDE: usize = 4096;

/// Room for the descriptors of one packet.
const CONTROL: usize = rustix::cmsg_space!(ScmRights(PACKET_HANDLES));

/// One end of a queue. A clone is the same end: the other side sees the end when the last one is gone, in whatever
/// process it was.
#[derive(Clone, Debug)]
pub(crate) struct PacketEnd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Arc<OwnedFd>,
    lifeline: Arc<OwnedFd>,
    /// Of the end that receives.
    anchor: Option<Arc<OwnedFd>>,
    /// The length of the longest datagram that the socket sends.
    longest: usize,
}

impl PacketEnd {
    /// A new queue: the end to send from, and the one to receive from. About `capacity` bytes can wait in it.
    pub(crate) fn pair(capacity: usize) -> io::Result<(Self, Self)> {
        let (from, to) = socket_pair(SocketType::DGRAM)?;
        make_room(&from, &to, capacity)?;
        let (ended, open) = pipe()?;
        rustix::io::ioctl_fionbio(&ended, true)?;
        let anchor = anchor(&to)?;
        Ok((Self::new(from, open, None)?, Self::new(to, ended, Some(anchor))?))
    }

    fn new(socket: OwnedFd, lifeline: OwnedFd, anchor: Option<OwnedFd>) -> io::Result<Self> {
        let longest = sockopt::socket_send_buffer_size(&socket)?.saturating_sub(BESIDE);
        let (socket, lifeline) = (Arc::new(socket), Arc::new(lifeline));
        Ok(Self(Arc::new(Inner { socket, lifeline, anchor: anchor.map(Arc::new), longest })))
    }

    /// What must travel for the end to travel.
    pub(crate) fn handles(&self) -> io::Result<Vec<Arc<OwnedHandle>>> {
        let Inner { socket, lifeline, anchor, .. } = &*self.0;
        Ok([socket, lifeline].into_iter().chain(anchor).cloned().collect())
    }

    /// The end from what has travelled; `None` if that is something else.
    pub(crate) fn from_handles(handles: Vec<OwnedHandle>) -> Option<Self> {
        let mut handles = handles.into_iter();
        let (socket, lifeline, anchor) = (handles.next()?, handles.next()?, handles.next());
        let is_queue = is_socket(&socket, SocketType::DGRAM)
            && is_pipe(&lifeline)
            && anchor.as_ref().is_none_or(|anchor| is_socket(anchor, SocketType::STREAM))
            && handles.next().is_none();
        if is_queue { Self::new(socket, lifeline, anchor).ok() } else { None }
    }

    /// Sends one packet, which must not be empty. `WouldBlock` if there is no room, `BrokenPipe` if nobody can receive
    /// it, `FileTooLarge` if no packet of this queue can be that long.
    pub(crate) fn send(&self, packet: &[u8], handles: &[Arc<OwnedHandle>], patience: Patience) -> io::Result<()> {
        loop {
            match self.0.send(packet, handles) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience == Patience::Wait => {
                    thread::sleep(AGAIN);
                }
                done => return done,
            }
        }
    }

    /// Takes the next packet into the buffer. `None` if there is none, and nobody is left who could send one;
    /// `WouldBlock` if there is none yet.
    ///
    /// A packet whose handles this process has no room for stays where it is, and is an error; unless another thread has
    /// taken the room just now, and then it comes without them.
    pub(crate) fn receive(&self, buffer: &mut [u8], patience: Patience) -> io::Result<Option<Packet>> {
        loop {
            match self.0.unless_ended(|| self.0.take(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience == Patience::Wait => {
                    wait_to_receive(&[self], None)?;
                }
                done => return done,
            }
        }
    }

    /// Whether there is a packet; `false` if nobody is left who could send one, and `WouldBlock` if there is none yet.
    pub(crate) fn has_packet(&self) -> io::Result<bool> {
        Ok(self.0.unless_ended(|| self.0.look())?.is_some())
    }

    /// What tells that there may be a packet, or that nobody is left who could send one: duplicates, which a reactor can
    /// watch beside others.
    #[cfg(feature = "tokio")]
    pub(super) fn watched(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.0.socket.try_clone()?, self.0.lifeline.try_clone()?])
    }
}

impl Inner {
    fn send(&self, packet: &[u8], handles: &[Arc<OwnedHandle>]) -> io::Result<()> {
        if packet.len() >= self.longest {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let handles: Vec<BorrowedFd<'_>> = handles.iter().map(|handle| handle.as_fd()).collect();
        let count = [u8::try_from(handles.len()).map_err(|_| too_many_handles())?];
        let pieces = [IoSlice::new(&count), IoSlice::new(packet)];
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !handles.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&handles)) {
            return Err(too_many_handles());
        }
        let flags = SEND_FLAGS | SendFlags::DONTWAIT;
        match rustix::io::retry_on_intr(|| rustix::net::sendmsg(&*self.socket, &pieces, &mut control, flags)) {
            Ok(_) => Ok(()),
            Err(Errno::AGAIN | Errno::NOBUFS) => Err(io::ErrorKind::WouldBlock.into()),
            // How a socket says that there is none at the other end, and from then on that it has no other end.
            Err(Errno::CONNREFUSED | Errno::CONNRESET | Errno::PIPE | Errno::NOTCONN | Errno::DESTADDRREQ) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            Err(Errno::MSGSIZE) => Err(io::ErrorKind::FileTooLarge.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives what is there. `None` if nothing is, and nobody is left who could send.
    fn unless_ended<T>(&self, mut there: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
        if self.anchor.is_none() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match there() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done.map(Some),
        }
        if !self.has_ended()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // The last one may have sent in between.
        match there() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            done => done.map(Some),
        }
    }

    /// Whether nobody is left who could send.
    fn has_ended(&self) -> io::Result<bool> {
        loop {
            let mut fds = [PollFd::new(&*self.lifeline, PollFlags::IN)];
            poll(&mut fds, Some(Instant::now()))?;
            let found = fds[0].revents();
            if found != PollFlags::IN {
                return Ok(!found.is_empty());
            }
            // That is none of ours; or the system tells the end as something to be read.
            match rustix::io::read(&*self.lifeline, &mut [0; 64]) {
                Ok(0) => return Ok(true),
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many handles the next packet has, which stays where it is.
    fn look(&self) -> io::Result<u8> {
        loop {
            let mut count = [0];
            match rustix::net::recv(&*self.socket, &mut count[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Ok((_, 0)) => {
                    self.take_message(&mut [])?;
                    return Err(emptied());
                }
                Ok(_) => return Ok(count[0]),
                Err(Errno::INTR) => {}
                // The other end was closed: that is said once, but to whoever only looks again and again.
                Err(Errno::CONNRESET) => _ = sockopt::socket_error(&*self.socket)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&self, buffer: &mut [u8]) -> io::Result<Packet> {
        loop {
            self.check_room(self.look()?)?;
            match self.take_message(buffer) {
                Err(Errno::INTR | Errno::CONNRESET) => {}
                // There is no room any more. The packet has lost its handles, and is still there.
                Err(Errno::MSGSIZE) => {}
                done => return Ok(done?),
            }
        }
    }

    /// An error if this process has no room for so many handles.
    fn check_room(&self, count: u8) -> io::Result<()> {
        let places = (0..count).map(|_| rustix::io::fcntl_dupfd_cloexec(&*self.socket, 0));
        Ok(places.collect::<rustix::io::Result<Vec<_>>>().map(drop)?)
    }

    fn take_message(&self, buffer: &mut [u8]) -> rustix::io::Result<Packet> {
        let mut count = [0];
        let mut pieces = [IoSliceMut::new(&mut count), IoSliceMut::new(buffer)];
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RECEIVE_FLAGS | RecvFlags::DONTWAIT;
        let received = rustix::net::recvmsg(&*self.socket, &mut pieces, &mut control, flags)?;
        let mut handles = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                handles.extend(fds);
            }
        }
        // What cannot be kept from other programs is not kept.
        let lacks_handles = received.flags.contains(ReturnFlags::CTRUNC) || handles.len() < count[0].into();
        if protect(&handles).is_err() {
            handles.clear();
        }
        let lacks_handles = lacks_handles || handles.len() < count[0].into();
        let is_cut = received.flags.contains(ReturnFlags::TRUNC);
        Ok(Packet { len: received.bytes.saturating_sub(count.len()), handles, lacks_handles, is_cut })
    }
}

/// Gives both sockets room for so much. The system has a limit of its own, and need not say which.
fn make_room(from: &OwnedFd, to: &OwnedFd, capacity: usize) -> io::Result<()> {
    let mut room = capacity.clamp(*ROOM.start(), *ROOM.end());
    loop {
        // macOS keeps the account where packets arrive, and allows no longer ones than fit into the other buffer. Linux keeps
        // it where they come from. Whatever can be sent must fit into an empty queue, or its sender would wait for ever.
        let done = sockopt::set_socket_send_buffer_size(from, room + BESIDE)
            .and_then(|()| sockopt::set_socket_recv_buffer_size(to, room + 2 * BESIDE));
        match done {
            Err(_) if room > *ROOM.start() => room = (room / 2).max(*ROOM.start()),
            done => return Ok(done?),
        }
    }
}

fn is_socket(fd: &OwnedFd, kind: SocketType) -> bool {
    sockopt::socket_type(fd) == Ok(kind)
}

fn is_pipe(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

fn too_many_handles() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a packet has too many handles")
}

/// No sender of ours sends nothing at all. So the socket was shut down; or somebody else has sent that.
fn emptied() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the system has emptied the queue")
}

/// Waits until there may be room in the queue or nobody can receive any more; or the deadline has passed.
pub(crate) fn wait_to_send(_: &PacketEnd, deadline: Option<Instant>) -> io::Result<bool> {
    thread::sleep(time_left(deadline).map_or(AGAIN, |left| left.min(AGAIN)));
    Ok(time_left(deadline) != Some(Duration::ZERO))
}

/// Waits until one of the ends has a packet or nobody is left who could send one, or the deadline has passed. Tells for
/// each of them whether it is so.
pub(crate) fn wait_to_receive(ends: &[&PacketEnd], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    loop {
        let watched = ends.iter().flat_map(|end| [&end.0.socket, &end.0.lifeline]);
        let mut fds: Vec<_> = watched.map(|fd| PollFd::new(&**fd, PollFlags::IN)).collect();
        poll(&mut fds, deadline)?;
        let found = ends.iter().zip(fds.chunks_exact(2)).map(|(end, fds)| {
            let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
            Ok(is_ready(&fds[0]) || (is_ready(&fds[1]) && end.0.has_ended()?))
        });
        let found = found.collect::<io::Result<Vec<_>>>()?;
        if found.contains(&true) || time_left(deadline) == Some(Duration::ZERO) {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests;
