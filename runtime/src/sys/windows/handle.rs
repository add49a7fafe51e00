//! Handles: taking them over, duplicating them, and waiting for one of several.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE, WAIT_FAILED, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, GetCurrentProcess, INFINITE, WaitForMultipleObjects, WaitForSingleObject,
};
use windows_sys::core::BOOL;

use crate::sys::time_left;

/// The result of a function that says only whether it has succeeded.
pub(super) fn check(done: BOOL) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes over what a function that opens something has just returned.
///
/// # Safety
/// The handle is the result of such a function, and nobody else owns it.
pub(super) unsafe fn opened(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, as neither error value was returned, and owned by nobody else, as the caller says.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Another handle to the same object. An inheritable one must live no longer than the start of the process that is to
/// inherit it: whatever is started meanwhile without a list of handles inherits it too.
pub(super) fn duplicate(handle: BorrowedHandle<'_>, inheritable: bool) -> io::Result<OwnedHandle> {
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    let mut copy = ptr::null_mut();
    // SAFETY: the handle is open, as it is borrowed; the call writes to `copy`, which it gets for its time.
    let done = unsafe {
        DuplicateHandle(this, handle.as_raw_handle(), this, &raw mut copy, 0, inheritable.into(), DUPLICATE_SAME_ACCESS)
    };
    check(done)?;
    // SAFETY: the call above has succeeded and made this handle.
    unsafe { opened(copy) }
}

/// A handle to this process, with all rights.
#[cfg(test)]
pub(super) fn this_process() -> OwnedHandle {
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: the constant stands for a handle that is never closed; a real one is made of it.
    duplicate(unsafe { BorrowedHandle::borrow_raw(this) }, false).unwrap()
}

/// An event that stays signalled until it is reset, and is not yet.
pub(super) fn event() -> io::Result<OwnedHandle> {
    // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from.
    let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
    // SAFETY: the handle was just made.
    unsafe { opened(event) }
}

/// Whether an event was set, or a process has ended.
pub(super) fn is_signalled(handle: impl AsHandle) -> bool {
    // SAFETY: the handle is open, as it is borrowed.
    unsafe { WaitForSingleObject(handle.as_handle().as_raw_handle(), 0) == WAIT_OBJECT_0 }
}

/// Waits until one of the handles is signalled or the deadline has passed. At most 64, which is the system's limit.
pub(super) fn wait_for_one_of(handles: &[BorrowedHandle<'_>], deadline: Option<Instant>) -> io::Result<()> {
    let raw: Vec<HANDLE> = handles.iter().map(AsRawHandle::as_raw_handle).collect();
    let count = u32::try_from(raw.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the array is valid for the call and has that many handles, which are open, as they are borrowed.
    match unsafe { WaitForMultipleObjects(count, raw.as_ptr(), 0, milliseconds(time_left(deadline))) } {
        WAIT_FAILED => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// As the system counts them: rounded up, so that the deadline has passed afterwards, and for ever at most until somebody
/// looks at it again.
fn milliseconds(left: Option<Duration>) -> u32 {
    let Some(left) = left else { return INFINITE };
    let rounded_up = left.as_nanos().div_ceil(1_000_000);
    u32::try_from(rounded_up).unwrap_or(INFINITE).min(INFINITE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_rounded_up() {
        assert_eq!(milliseconds(None), INFINITE);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert_eq!(milliseconds(Some(Duration::MAX)), INFINITE - 1);
    }
}
