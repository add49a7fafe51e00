//! Memory that is mapped from a descriptor.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr::{self, NonNull};
use std::slice;

use crate::sys::imp::READ_ONLY;

/// Mapped memory, until it is dropped.
#[derive(Debug)]
pub(in crate::sys) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to no thread. It is read through shared references and written through unique ones only.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps what nobody else has, to be written.
    ///
    /// # Safety
    /// As long as it is mapped, the descriptor's memory must have at least this length, and nobody else may write to it
    /// or rely on its not changing.
    pub(in crate::sys) unsafe fn to_write(fd: &impl AsFd, len: usize) -> io::Result<Self> {
        // SAFETY: what `new` demands is demanded here.
        unsafe { Self::new(fd, len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED) }
    }

    /// Maps what never changes, to be read.
    ///
    /// # Safety
    /// As long as it is mapped, the descriptor's memory must have at least this length, and nobody may change it.
    pub(in crate::sys) unsafe fn to_read(fd: &impl AsFd, len: usize) -> io::Result<Self> {
        // SAFETY: what `new` demands is demanded here.
        unsafe { Self::new(fd, len, libc::PROT_READ, READ_ONLY) }
    }

    /// # Safety
    /// The descriptor's memory must have at least this length as long as it is mapped: looking at what is not there ends
    /// the process.
    unsafe fn new(fd: &impl AsFd, len: usize, protection: libc::c_int, flags: libc::c_int) -> io::Result<Self> {
        // No slice may be longer; of 32 bits an address space can hold more.
        if isize::try_from(len).is_err() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: a new mapping at an address of the system's choice replaces none, and touches no memory of this process.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd.as_fd().as_raw_fd(), 0) };
        let start = NonNull::new(start.cast()).filter(|_| start != libc::MAP_FAILED);
        Ok(Self { start: start.ok_or_else(io::Error::last_os_error)?, len })
    }

    pub(in crate::sys) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is there until `self` is dropped, is at least this long, which no slice may exceed (whoever made
        // it has seen to that, and that nobody else writes to it), and can be read. Unique access to it needs `&mut self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Only of what was mapped to be written: see [`to_write`](Self::to_write).
    ///
    /// # Safety
    /// It must have been made by that.
    pub(in crate::sys) unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`; it can be written, and nobody else refers to it as long as `self` is borrowed uniquely.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this start and length, and nothing borrows it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
