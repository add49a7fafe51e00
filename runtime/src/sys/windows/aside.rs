//! What takes as long as another process pleases, done by a thread of its own.
//!
//! A handle from another process may be that of a file or pipe which was not opened to be overlapped. Whatever is asked of
//! such a one waits until what others do with it is over, and no call tells that before. So it is done where nobody is
//! held up: a thread waits, for ever if need be, which is until the last process that keeps it waiting has ended.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use windows_sys::Win32::System::Threading::SetEvent;

use super::handle::{event, wait_for_one_of};

/// What a thread is finding out. Who drops it leaves the thread behind.
#[derive(Debug)]
pub(super) struct Aside<T>(Arc<Mutex<Option<T>>>);

impl<T: Send + 'static> Aside<T> {
    /// Has a thread do the work, which sets the event, another's as well if that may be, when it is done.
    pub(super) fn begin(bell: OwnedHandle, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let place = Arc::new(Mutex::new(None));
        let of_thread = Arc::clone(&place);
        thread::Builder::new().name("spawnsafe-fetch".into()).stack_size(128 << 10).spawn(move || {
            let done = work();
            *of_thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            // SAFETY: the handle is open.
            unsafe { SetEvent(bell.as_raw_handle()) };
        })?;
        Ok(Self(place))
    }

    /// What it has found out, once; `None` as long as it has not.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Does the work, and waits for it until then; `None` if it takes longer.
pub(super) fn within<T: Send + 'static>(deadline: Instant, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let bell = event().ok()?;
    let aside = Aside::begin(bell.try_clone().ok()?, work).ok()?;
    wait_for_one_of(&[bell.as_handle()], Some(deadline)).ok()?;
    aside.take()
}
