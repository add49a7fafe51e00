//! Where the stack ends, and how large buffers become cheap.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// The lowest address of this thread's stack.
pub(crate) fn stack_end() -> Option<usize> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: pthread_self(3) has no preconditions.
    let this_thread = unsafe { libc::pthread_self() };
    // SAFETY: this thread is alive; pthread_getattr_np(3) initializes the object if it returns 0.
    if unsafe { libc::pthread_getattr_np(this_thread, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call above has succeeded.
    let mut attributes = unsafe { attributes.assume_init() };
    let (mut start, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the object is initialized; the call writes to the two variables.
    let error = unsafe { libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size) };
    // SAFETY: it was initialized, and is not used any more.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    (error == 0).then_some(start as usize)
}

/// The size of a huge page on the systems that matter; another one makes the advice useless, not wrong.
const HUGE: usize = 2 << 20;

/// Asks for huge pages behind large memory that is about to be filled: most of what a large message
/// costs is fresh pages, 4 KiB at a time.
pub(crate) fn advise_large(memory: Range<*const u8>) {
    let end = memory.end.addr() / HUGE * HUGE;
    // At the end of the address space there is no next page.
    let Some(start) = memory.start.addr().checked_next_multiple_of(HUGE) else { return };
    if end.saturating_sub(start) < 2 * HUGE {
        return;
    }
    let first = memory.start.with_addr(start).cast_mut();
    // SAFETY: madvise(2) with MADV_HUGEPAGE changes how the mapped part of a range is backed, never what it contains,
    // whosever it is. The range begins at a page boundary.
    unsafe { libc::madvise(first.cast(), end - start, libc::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use std::ptr::without_provenance;

    use super::*;

    #[test]
    fn the_ends_of_the_address_space_are_no_huge_pages() {
        for range in [(usize::MAX - 8, usize::MAX), (usize::MAX, 0), (0, 0), (4 * HUGE, HUGE)] {
            advise_large(without_provenance(range.0)..without_provenance(range.1));
        }
    }
}
