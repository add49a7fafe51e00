//! For systems without zygotes: each request is an error, and nothing can be asked any further.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::time::Instant;

use super::imp::{Adopted, Handover, Stream};
use super::{Command, Started};

/// Whether zygotes are possible on this system; the error says why not.
pub(crate) fn can_fork() -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "a process that is forked and executes no program is not sound on this system, whose own libraries forbid it or which \
         has no such thing",
    ))
}

/// What a child has from its parent.
#[derive(Debug)]
pub(crate) struct Surroundings(Standing);

/// What a child must have from its parent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing(Infallible);

/// A child that was asked for.
#[derive(Debug)]
pub(crate) struct Requested(Infallible);

/// A process that forks.
#[derive(Debug)]
pub(crate) struct Forker(Infallible);

/// A process that was forked.
#[derive(Debug)]
pub(crate) struct Newborn(Infallible);

impl Surroundings {
    pub(crate) fn now() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.0
    }

    pub(crate) fn into_standing(self) -> Standing {
        self.0
    }

    pub(crate) fn encode(&self, _: Option<&[(OsString, OsString)]>) -> Vec<u8> {
        match self.0.0 {}
    }
}

pub(crate) fn request(_: &Stream, _: &Command, _: &Handover, _: Instant) -> io::Result<Option<Requested>> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Requested {
    pub(crate) fn wait(self, _: &Stream, _: Instant) -> io::Result<Option<Started>> {
        match self.0 {}
    }
}

impl Forker {
    pub(crate) fn new(_: &Adopted) -> Result<Self, String> {
        Err("there are no zygotes on this system".into())
    }

    pub(crate) fn next(self, _: Adopted) -> Option<Newborn> {
        match self.0 {}
    }
}

impl Newborn {
    pub(crate) fn adopted(&self) -> &Adopted {
        match self.0 {}
    }

    pub(crate) fn is_orphan(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn settle(self, _: Vec<u8>) -> (Adopted, io::Result<()>) {
        match self.0 {}
    }
}
