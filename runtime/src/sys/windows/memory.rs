//! Where the stack ends, and how large buffers become cheap.

#![allow(unsafe_code)]

use std::ops::Range;

use windows_sys::Win32::System::Threading::GetCurrentThreadStackLimits;

/// What the system keeps at the end of a stack: guard pages, and room for the handler of an overflow.
const GUARD: usize = 32 << 10;

/// The lowest address of this thread's stack that can be used.
pub(crate) fn stack_end() -> Option<usize> {
    let (mut low, mut high) = (0, 0);
    // SAFETY: the call writes to the two variables.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    (low != 0).then(|| low + GUARD)
}

/// Large pages take a privilege here: nothing is done.
pub(crate) fn advise_large(_: Range<*const u8>) {}
