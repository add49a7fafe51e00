//! What keeps open files whole that are on their way: an anchor for each socket that receives some.
//!
//! On macOS a socket that is on its way, and that no process has open any more, is emptied and cannot receive again if the
//! kernel happens to collect its garbage meanwhile, which it does whenever a local socket is closed anywhere. (`unp_gc` of
//! xnu: it takes for reachable what it finds in the queues of sockets that are themselves on their way, and looks into no
//! other queue. Node.js has met it, and keeps what it sends open until the receiver has answered.) Pipes, files and memory are
//! safe. Here nobody could answer: whoever has sent may have ended, and who will receive is not known yet.
//!
//! So a socket that receives descriptors **is itself on its way, and never arrives**: a copy of it lies in the queue of
//! another one, the anchor, which whoever has the first one has as well, and from which nobody reads. The kernel then finds
//! that some process has the socket open, and looks into its queue. As the anchor is where the socket is and nowhere else, the
//! socket still is closed with its last holder: the anchor goes, and the copy with it.
//!
//! All of it is calls that have a page; what it is for is not in any. On a system that collects its garbage well it changes
//! nothing, so that Linux can do the same under test (`--cfg spawnsafe_datagram_queue`).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SocketType};

use crate::sys::imp::{SEND_FLAGS, socket_pair};

/// Whether connections are anchored.
pub(in crate::sys) const ANCHORED: bool = cfg!(any(target_os = "macos", spawnsafe_datagram_queue));

/// The anchor of a socket.
#[cfg(any(target_os = "macos", spawnsafe_datagram_queue))]
pub(in crate::sys) fn anchor(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let (from, anchor) = socket_pair(SocketType::STREAM)?;
    put(socket, &from)?;
    Ok(anchor)
}

/// The anchors of both ends of a connection, in the same order.
pub(in crate::sys) fn anchors(one: &OwnedFd, other: &OwnedFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let (of_one, of_other) = socket_pair(SocketType::STREAM)?;
    put(one, &of_other)?;
    put(other, &of_one)?;
    Ok((of_one, of_other))
}

/// Sends a copy of a socket. It is the first that goes that way, so there is room.
fn put(socket: &OwnedFd, from: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let handles = [socket.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&handles)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::io::retry_on_intr(|| rustix::net::sendmsg(from, &[IoSlice::new(&[0])], &mut control, SEND_FLAGS))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::unix::is_cut;

    #[test]
    fn an_anchored_connection_ends_as_others_do() {
        for drop_anchor_first in [false, true] {
            let (one, other) = socket_pair(SocketType::STREAM).unwrap();
            let (of_one, of_other) = anchors(&one, &other).unwrap();
            assert!(!is_cut(&one).unwrap() && !is_cut(&other).unwrap());
            if drop_anchor_first {
                drop(of_other);
                drop(other);
            } else {
                drop(other);
                drop(of_other);
            }
            assert!(is_cut(&one).unwrap());
            drop((one, of_one));
        }
    }
}
