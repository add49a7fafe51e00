//! Memory that a parent and its child both see, for what must still be there when the child is not.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;

use crate::sys::imp::{memory_object, memory_object_len};

/// A fixed number of words, all zero at first, in memory that two processes share.
///
/// Words and not bytes: what another process may change at any time can be read and written by atomic operations only.
pub(crate) struct Shared {
    words: *const AtomicU64,
    len: usize,
    /// Held until the child is started. A child holds none: nothing that its code does to descriptors reaches this.
    fd: Option<OwnedFd>,
}

// SAFETY: the memory is mapped until the value is dropped, belongs to no thread, and is reached by atomics only.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Memory for that many words, to be handed to one child.
    pub(crate) fn new(words: usize) -> io::Result<Self> {
        let fd = memory_object((words * size_of::<AtomicU64>()) as u64)?;
        Self::map(fd, words, true)
    }

    /// What the parent has handed to this process.
    pub(in crate::sys) fn adopt(fd: OwnedFd) -> io::Result<Self> {
        let len = memory_object_len(&fd)?;
        Self::map(fd, len / size_of::<AtomicU64>(), false)
    }

    fn map(fd: OwnedFd, len: usize, keep: bool) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the system's choice replaces none. The object is at least that long and
        // does not become shorter.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), len * size_of::<AtomicU64>(), protection, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { words: start.cast_const().cast(), len, fd: keep.then_some(fd) })
    }

    /// The words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping begins at a page boundary, has this many words, each a valid atomic whatever its bits,
        // and stays until `self` is dropped. Nothing refers to it but as atomics.
        unsafe { slice::from_raw_parts(self.words, self.len) }
    }

    pub(in crate::sys) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(|fd| fd.as_fd())
    }

    /// The child has it: the descriptor is of no use any more.
    pub(crate) fn handed_over(&mut self) {
        self.fd = None;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this start and length, and nothing borrows it any more.
        unsafe { libc::munmap(self.words.cast_mut().cast(), self.len * size_of::<AtomicU64>()) };
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("words", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_are_the_same_memory() {
        // Whole pages, whatever their size.
        let parent = Shared::new(8 << 10).unwrap();
        let child = Shared::adopt(parent.fd().unwrap().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!((parent.words().len(), child.words().len()), (8 << 10, 8 << 10));
        assert!(child.fd().is_none());
        parent.words()[8191].store(7, Ordering::Release);
        assert_eq!(child.words()[8191].load(Ordering::Acquire), 7);
        drop(parent);
        assert_eq!(child.words()[8191].load(Ordering::Acquire), 7);
    }
}
