//! Memory that a parent and its child both see, for what must still be there when the child is not: a section without a
//! name, backed by the page file.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS,
    MapViewOfFile, PAGE_READWRITE, UnmapViewOfFile, VirtualQuery,
};

use super::handle::opened;

/// A fixed number of words, all zero at first, in memory that two processes share.
///
/// Words and not bytes: what another process may change at any time can be read and written by atomic operations only.
pub(crate) struct Shared {
    words: *const AtomicU64,
    len: usize,
    /// Held until the child is started. A child holds none: nothing that its code does to handles reaches this.
    section: Option<OwnedHandle>,
}

// SAFETY: the memory is mapped until the value is dropped, belongs to no thread, and is reached by atomics only.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Memory for that many words, to be handed to one child.
    pub(crate) fn new(words: usize) -> io::Result<Self> {
        let bytes = (words * size_of::<AtomicU64>()) as u64;
        let (high, low) = ((bytes >> 32) as u32, bytes as u32);
        // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from. What is no
        // file stands for the page file.
        let section =
            unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null(), PAGE_READWRITE, high, low, ptr::null()) };
        // SAFETY: the handle was just made.
        let section = unsafe { opened(section)? };
        let start = map(section.as_handle())?;
        Ok(Self { words: start, len: words, section: Some(section) })
    }

    /// What the parent has handed to this process: the whole section, which the system counts in pages.
    pub(super) fn adopt(section: BorrowedHandle<'_>) -> io::Result<Self> {
        let start = map(section)?;
        let mut shared = Self { words: start, len: 0, section: None };
        let mut info = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: the call takes any address, and writes at most as many bytes as the structure has.
        if unsafe { VirtualQuery(start.cast(), &raw mut info, size_of_val(&info)) } == 0 {
            return Err(io::Error::last_os_error());
        }
        shared.len = info.RegionSize / size_of::<AtomicU64>();
        Ok(shared)
    }

    /// The words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the view begins at a page boundary, has this many words, each a valid atomic whatever its bits, and stays
        // until `self` is dropped: no section becomes smaller. Nothing refers to it but as atomics.
        unsafe { slice::from_raw_parts(self.words, self.len) }
    }

    pub(super) fn handle(&self) -> Option<BorrowedHandle<'_>> {
        self.section.as_ref().map(|section| section.as_handle())
    }

    /// The child has it: the handle is of no use any more.
    pub(super) fn handed_over(&mut self) {
        self.section = None;
    }
}

fn map(section: BorrowedHandle<'_>) -> io::Result<*const AtomicU64> {
    // SAFETY: the view is new, at an address of the system's choice, and of the whole section. The handle is open; of one
    // that is no section the call says so.
    let view = unsafe { MapViewOfFile(section.as_raw_handle(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0) };
    if view.Value.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(view.Value.cast_const().cast())
}

impl Drop for Shared {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.words.cast_mut().cast() };
        // SAFETY: the view was made by `map`, and nothing borrows it any more.
        unsafe { UnmapViewOfFile(view) };
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
    fn two_views_are_the_same_memory() {
        let mut parent = Shared::new(1024).unwrap();
        let child = Shared::adopt(parent.handle().unwrap()).unwrap();
        assert_eq!((parent.words().len(), child.words().len()), (1024, 1024));
        assert!(child.handle().is_none());
        parent.handed_over();
        parent.words()[1023].store(7, Ordering::Release);
        assert_eq!(child.words()[1023].load(Ordering::Acquire), 7);
        drop(parent);
        assert_eq!(child.words()[1023].load(Ordering::Acquire), 7);
    }

    #[test]
    fn what_is_no_memory_is_refused() {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(Shared::adopt(file.as_handle()).is_err());
    }
}
