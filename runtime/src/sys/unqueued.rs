//! For systems on which processes have no queue of packets: making one is an error, and nobody has one.
//!
//! What a queue must keep is said at each name in `linux/packet.rs`; `unix/datagram.rs` and `windows/packet.rs` keep it by other
//! means.

use std::convert::Infallible;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use super::{OwnedHandle, Packet, Patience};

pub(crate) const PACKET_HANDLES: usize = 253;

#[derive(Clone, Debug)]
pub(crate) struct PacketEnd(Infallible);

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "channels are not available on this system yet"))
}

impl PacketEnd {
    pub(crate) fn pair(_: usize) -> io::Result<(Self, Self)> {
        unsupported()
    }

    pub(crate) fn handles(&self) -> io::Result<Vec<Arc<OwnedHandle>>> {
        match self.0 {}
    }

    pub(crate) fn from_handles(_: Vec<OwnedHandle>) -> Option<Self> {
        None
    }

    pub(crate) fn send(&self, _: &[u8], _: &[Arc<OwnedHandle>], _: Patience) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn receive(&self, _: &mut [u8], _: Patience) -> io::Result<Option<Packet>> {
        match self.0 {}
    }

    pub(crate) fn has_packet(&self) -> io::Result<bool> {
        match self.0 {}
    }
}

pub(crate) fn wait_to_send(end: &PacketEnd, _: Option<Instant>) -> io::Result<bool> {
    match end.0 {}
}

pub(crate) fn wait_to_receive(ends: &[&PacketEnd], _: Option<Instant>) -> io::Result<Vec<bool>> {
    ends.first().map_or(Ok(Vec::new()), |end| match end.0 {})
}

pub(crate) fn store<'a>(_: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<OwnedHandle> {
    unsupported()
}

/// There is none.
#[derive(Debug)]
pub(crate) struct Stored(Infallible);

impl Stored {
    pub(crate) fn open(_: OwnedHandle) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn len(&self) -> u64 {
        match self.0 {}
    }
}

impl Read for Stored {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct AsyncEnd(Infallible);

#[cfg(feature = "tokio")]
impl AsyncEnd {
    pub(crate) fn to_send(end: &PacketEnd) -> io::Result<Self> {
        match end.0 {}
    }

    pub(crate) fn to_receive(end: &PacketEnd) -> io::Result<Self> {
        match end.0 {}
    }

    pub(crate) async fn when_ready<T>(&self, _: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match self.0 {}
    }
}
