//! Having a function called when a handle is signalled, by the system's own threads: they wait for 63 handles each.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEONLYONCE,
};

use super::handle::check;

/// What is called, once at most, on another thread. It must neither wait nor drop the registration.
type Call = Box<dyn Fn() + Send + Sync>;

/// A function that is called when a handle is signalled, until this is dropped.
pub(super) struct Registered<'a> {
    wait: HANDLE,
    /// Made by `Box::into_raw`.
    call: *mut Call,
    /// The handle stays open.
    handle: BorrowedHandle<'a>,
}

// SAFETY: the function may be called on and dropped by any thread, and the system lets any thread end a registration.
unsafe impl Send for Registered<'_> {}
// SAFETY: there is nothing that could be done with a shared reference.
unsafe impl Sync for Registered<'_> {}

impl<'a> Registered<'a> {
    pub(super) fn new(handle: BorrowedHandle<'a>, call: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        Self::within(handle, INFINITE, call)
    }

    /// As [`new`](Self::new); the function is also called once so many milliseconds have passed.
    pub(super) fn within(
        handle: BorrowedHandle<'a>,
        milliseconds: u32,
        call: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let mut registered =
            Self { wait: ptr::null_mut(), call: Box::into_raw(Box::new(Box::new(call) as Call)), handle };
        // SAFETY: the handle is open and stays so; the function takes a pointer to a `Call`, which is valid until the
        // registration has ended (or there is none, if this fails).
        let registers = check(unsafe {
            RegisterWaitForSingleObject(
                &raw mut registered.wait,
                handle.as_raw_handle(),
                Some(signalled),
                registered.call.cast_const().cast(),
                milliseconds,
                WT_EXECUTEONLYONCE,
            )
        });
        if registers.is_err() {
            // Nobody says what the call leaves there then.
            registered.wait = ptr::null_mut();
        }
        registers.map(|()| registered)
    }
}

/// Called by the system.
unsafe extern "system" fn signalled(call: *mut c_void, _: bool) {
    // SAFETY: the pointer is that of a registration which has not ended.
    let call = unsafe { &*call.cast::<Call>() };
    call();
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if !self.wait.is_null() {
            // SAFETY: the registration was made and has not ended. The call returns when the function is not being
            // called and will not be any more.
            unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
        }
        // SAFETY: it was made by `Box::into_raw`, and nobody calls it any more.
        drop(unsafe { Box::from_raw(self.call) });
    }
}

impl fmt::Debug for Registered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registered").field(&self.handle).finish()
    }
}
