//! A queue of packets between any processes: a pair of sockets that keep packets whole and in order.
//!
//! `SOCK_SEQPACKET`, because a packet arrives whole or not at all, whoever writes beside it and whoever is killed while
//! it writes; because the last sender's end is seen as the end; and because descriptors travel with a packet.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::sys::unix::poll;
use crate::sys::{OwnedHandle, Packet, Patience};

/// How many handles one packet can have.
pub(crate) const PACKET_HANDLES: usize = 253;

/// One end of a queue. A clone is the same end: the other side sees the end when the last one is gone, in whatever
/// process it was.
#[derive(Clone, Debug)]
pub(crate) struct PacketEnd(Arc<OwnedFd>);

/// Room for the descriptors of one packet.
const CONTROL: usize = rustix::cmsg_space!(ScmRights(PACKET_HANDLES));

impl PacketEnd {
    /// A new queue: the end to send from, and the one to receive from. About `capacity` bytes can wait in it.
    pub(crate) fn pair(capacity: usize) -> io::Result<(Self, Self)> {
        let (from, to) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        // The system takes what it takes, and doubles it for what a packet costs beside its bytes.
        rustix::net::sockopt::set_socket_send_buffer_size(&from, capacity.min(1 << 30))?;
        Ok((Self(Arc::new(from)), Self(Arc::new(to))))
    }

    /// What must travel for the end to travel.
    pub(crate) fn handles(&self) -> io::Result<Vec<Arc<OwnedHandle>>> {
        Ok(vec![self.0.clone()])
    }

    /// The end from what has travelled; `None` if that is something else.
    pub(crate) fn from_handles(handles: Vec<OwnedHandle>) -> Option<Self> {
        let [fd] = <[_; 1]>::try_from(handles).ok()?;
        let is_queue = rustix::net::sockopt::socket_type(&fd) == Ok(SocketType::SEQPACKET);
        is_queue.then(|| Self(Arc::new(fd)))
    }

    /// Sends one packet, which must not be empty. `WouldBlock` if there is no room, `BrokenPipe` if nobody can receive
    /// it, `FileTooLarge` if no packet of this queue can be that long.
    pub(crate) fn send(&self, packet: &[u8], handles: &[Arc<OwnedHandle>], patience: Patience) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let handles: Vec<_> = handles.iter().map(|handle| handle.as_fd()).collect();
        if !handles.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&handles)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a packet has too many handles"));
        }
        let flags = match patience {
            Patience::Wait => SendFlags::NOSIGNAL,
            Patience::Now => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        };
        loop {
            return match rustix::net::sendmsg(&*self.0, &[IoSlice::new(packet)], &mut control, flags) {
                Ok(_) => Ok(()),
                Err(Errno::INTR) => continue,
                // The receiver was closed with packets in it: that is said once, and then the other.
                Err(Errno::CONNRESET | Errno::PIPE) => Err(io::ErrorKind::BrokenPipe.into()),
                Err(Errno::MSGSIZE) => Err(io::ErrorKind::FileTooLarge.into()),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Takes the next packet into the buffer. `None` if there is none, and nobody is left who could send one;
    /// `WouldBlock` if there is none yet.
    ///
    /// A packet whose handles this process has no room for stays where it is, and is an error.
    pub(crate) fn receive(&self, buffer: &mut [u8], patience: Patience) -> io::Result<Option<Packet>> {
        let flags = match patience {
            Patience::Wait => RecvFlags::empty(),
            Patience::Now => RecvFlags::DONTWAIT,
        };
        loop {
            // The system closes the handles that there is no room for, and the packet is gone. So look first.
            let looked = self.receive_message(&mut [0], flags | RecvFlags::PEEK);
            match retry_once_told(looked)? {
                None => continue,
                Some(packet) if packet.len == 0 => return Ok(None),
                Some(packet) if packet.lacks_handles => return Err(Errno::MFILE.into()),
                Some(_) => {}
            }
            match retry_once_told(self.receive_message(buffer, RecvFlags::DONTWAIT)) {
                Ok(Some(packet)) if packet.len > 0 => return Ok(Some(packet)),
                Ok(_) => {}
                // Somebody else has taken it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience == Patience::Wait => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether there is a packet; `false` if nobody is left who could send one, and `WouldBlock` if there is none yet.
    pub(crate) fn has_packet(&self) -> io::Result<bool> {
        loop {
            match rustix::net::recv(&*self.0, &mut [0; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Ok((_, len)) => return Ok(len > 0),
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn receive_message(&self, buffer: &mut [u8], flags: RecvFlags) -> rustix::io::Result<Packet> {
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(&*self.0, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
        let mut handles = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                handles.extend(fds);
            }
        }
        Ok(Packet {
            len: received.bytes,
            handles,
            lacks_handles: received.flags.contains(ReturnFlags::CTRUNC),
            is_cut: received.flags.contains(ReturnFlags::TRUNC),
        })
    }

    /// A duplicate, which a reactor can watch beside others.
    #[cfg(feature = "tokio")]
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

/// Nothing where the call is to be made again: a signal has interrupted it, or it has told that the other side was
/// closed with packets of this side in it, which is told once.
fn retry_once_told(done: rustix::io::Result<Packet>) -> io::Result<Option<Packet>> {
    match done {
        Ok(packet) => Ok(Some(packet)),
        Err(Errno::INTR | Errno::CONNRESET) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits until there is room in the queue or nobody can receive any more; or the deadline has passed.
pub(crate) fn wait_to_send(end: &PacketEnd, deadline: Option<Instant>) -> io::Result<bool> {
    let mut fds = [PollFd::new(&*end.0, PollFlags::OUT)];
    poll(&mut fds, deadline)?;
    Ok(!fds[0].revents().is_empty())
}

/// Waits until one of the ends has a packet or nobody is left who could send one, or the deadline has passed. Tells for
/// each of them whether it is so.
pub(crate) fn wait_to_receive(ends: &[&PacketEnd], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut fds: Vec<_> = ends.iter().map(|end| PollFd::new(&*end.0, PollFlags::IN)).collect();
    poll(&mut fds, deadline)?;
    Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
}
