//! For systems on which workers share no memory with their pool yet, and cannot be confined: pools work there, and give
//! each worker one task at a time. Nor is a process left to exit by itself.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::AtomicU64;

use super::Confinement;

/// Memory that two processes share; there is none.
#[derive(Debug)]
pub(crate) struct Shared(Infallible);

impl Shared {
    pub(crate) fn new(_: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        match self.0 {}
    }
}

/// What the descriptors of POSIX would be for.
#[cfg(unix)]
impl Shared {
    pub(in crate::sys) fn adopt(_: std::os::fd::OwnedFd) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::sys) fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        match self.0 {}
    }

    pub(in crate::sys) fn handed_over(&mut self) {
        match self.0 {}
    }
}

/// Confines this process, if that is asked for at all.
pub(crate) fn confine(to: &Confinement) -> io::Result<()> {
    if *to == Confinement::default() { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Nothing is left to be done when this process exits: whoever waits for a child waits for its end.
pub(crate) fn at_exit(_: extern "C" fn()) -> bool {
    false
}

/// Asked for only where a process is left to exit by itself.
pub(crate) fn thread_count() -> Option<u64> {
    None
}
