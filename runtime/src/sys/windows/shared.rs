//! Memory that a parent and its child both see, for what must still be there when the child is not: a section without a
//! name, backed by the page file.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, BorrowedHandle, OwnedHandle};
use std::ptr;
use std::slice;
use std::sync::atomic::AtomicU64;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Memory::{CreateFileMappingW, PAGE_READWRITE};

use super::handle::opened;
use super::view::View;

/// A fixed number of words, all zero at first, in memory that two processes share.
///
/// Words and not bytes: what another process may change at any time can be read and written by atomic operations only.
#[derive(Debug)]
pub(crate) struct Shared {
    view: View,
    words: usize,
    /// Held until the child is started. A child holds none: nothing that its code does to handles reaches this.
    section: Option<OwnedHandle>,
}

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
        Ok(Self { view: View::to_write(section.as_handle())?, words, section: Some(section) })
    }

    /// What the parent has handed to this process: the whole section, which the system counts in pages.
    pub(super) fn adopt(section: BorrowedHandle<'_>) -> io::Result<Self> {
        let view = View::to_write(section)?;
        let words = view.len()? / size_of::<AtomicU64>();
        Ok(Self { view, words, section: None })
    }

    /// The words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the view begins at a page boundary, has this many words, each a valid atomic whatever its bits, and stays
        // until `self` is dropped. Nothing refers to it but as atomics.
        unsafe { slice::from_raw_parts(self.view.start().as_ptr().cast(), self.words) }
    }

    pub(super) fn handle(&self) -> Option<BorrowedHandle<'_>> {
        self.section.as_ref().map(|section| section.as_handle())
    }

    /// The child has it: the handle is of no use any more.
    pub(crate) fn handed_over(&mut self) {
        self.section = None;
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
