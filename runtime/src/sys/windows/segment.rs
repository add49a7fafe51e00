//! Memory that is filled by one process and then read by many: there is none here yet.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use super::OwnedHandle;

/// Memory of this process alone that can become a [`Segment`].
#[derive(Debug)]
pub(crate) struct SegmentMut(Infallible);

/// Memory that nobody can write to any more.
#[derive(Debug)]
pub(crate) struct Segment(Infallible);

fn not_yet<T>() -> io::Result<T> {
    let message = "spawnsafe has no memory that processes share on Windows yet";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

impl SegmentMut {
    pub(crate) fn zeroed(_: usize) -> io::Result<Self> {
        not_yet()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self.0 {}
    }

    pub(crate) fn seal(self) -> io::Result<Segment> {
        match self.0 {}
    }
}

impl Segment {
    pub(crate) fn adopt(_: OwnedHandle, _: usize) -> io::Result<Self> {
        not_yet()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn handle(&self) -> &Arc<OwnedHandle> {
        match self.0 {}
    }
}
