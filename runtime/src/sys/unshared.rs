//! For systems on which no process is left to exit by itself yet, nor started before it is needed.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;

use super::{Arrived, Piped, Stdio, Stream};

/// Nothing is left to be done when this process exits: whoever waits for a child waits for its end.
pub(crate) fn at_exit(_: extern "C" fn()) -> bool {
    false
}

/// There is nothing to prepare.
pub(crate) fn prepare_thread_count() {}

/// Asked for only where a process is left to exit by itself.
pub(crate) fn thread_count() -> Option<u64> {
    None
}

/// What a process has from the one that starts it: who cannot tell keeps none for later.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inherited(Infallible);

impl Inherited {
    pub(crate) fn now() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Standard streams for a process that is there already: nobody keeps one.
pub(crate) struct Streams<'a>(Infallible, PhantomData<&'a Stdio>);

impl<'a> Streams<'a> {
    pub(crate) fn of(_: [&'a Stdio; 3]) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn send(&self, _: &Stream) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn into_parent_ends(self) -> Piped {
        match self.0 {}
    }
}

pub(crate) fn receive_streams(_: &Stream, _: bool) -> io::Result<Arrived> {
    Err(io::ErrorKind::Unsupported.into())
}
