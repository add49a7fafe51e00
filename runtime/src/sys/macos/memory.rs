//! Where the stack ends, and how large buffers become cheap.

#![allow(unsafe_code)]

use std::ops::Range;

/// The lowest address of this thread's stack.
pub(crate) fn stack_end() -> Option<usize> {
    // SAFETY: pthread_self(3) has no preconditions.
    let this_thread = unsafe { libc::pthread_self() };
    // SAFETY: this thread is alive. (`pthread.h`; the address is that of the base, which is the highest.)
    let base = unsafe { libc::pthread_get_stackaddr_np(this_thread) } as usize;
    // SAFETY: as above.
    let size = unsafe { libc::pthread_get_stacksize_np(this_thread) };
    base.checked_sub(size)
}

/// The system needs no advice.
pub(crate) fn advise_large(_: Range<*const u8>) {}
