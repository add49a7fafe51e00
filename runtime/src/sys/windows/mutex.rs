//! A lock between processes, which the system lets go when its holder ends.

#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{ERROR_NOT_OWNER, WAIT_ABANDONED, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{CreateMutexW, ReleaseMutex, WaitForSingleObject};

use super::handle::opened;

/// How long anybody may hold one, in milliseconds: a queue's are held while 4 GiB are copied, and while those are waited for.
/// Who is stopped meanwhile, or keeps it on purpose, is an error for the others, and not their end.
const LONGEST: u32 = 120_000;

/// A mutex of the system. Nobody holds it while it waits for anything but the system's memory.
#[derive(Debug)]
pub(super) struct SharedMutex(Arc<OwnedHandle>);

/// Held until it is dropped, by the thread that has locked it.
pub(super) struct Held<'a> {
    mutex: &'a SharedMutex,
    of_a_thread: PhantomData<*const ()>,
}

impl SharedMutex {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from.
        let mutex = unsafe { CreateMutexW(ptr::null(), 0, ptr::null()) };
        // SAFETY: the handle was just made.
        Ok(Self(Arc::new(unsafe { opened(mutex)? })))
    }

    /// What has come from another process; `None` if that is no mutex.
    pub(super) fn from_handle(handle: OwnedHandle) -> Option<Self> {
        // SAFETY: the handle is open. It is not ours, so a mutex is not let go, and the call says which it is.
        let done = unsafe { ReleaseMutex(handle.as_raw_handle()) };
        let is_mutex = done == 0 && io::Error::last_os_error().raw_os_error() == Some(ERROR_NOT_OWNER as i32);
        is_mutex.then(|| Self(Arc::new(handle)))
    }

    /// Another one to the same mutex.
    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(super) fn handle(&self) -> Arc<OwnedHandle> {
        Arc::clone(&self.0)
    }

    /// Waits until nobody else holds it. An error if somebody does for longer than it can take.
    pub(super) fn lock(&self) -> io::Result<Held<'_>> {
        self.lock_unless_kept(LONGEST)
    }

    fn lock_unless_kept(&self, milliseconds: u32) -> io::Result<Held<'_>> {
        self.lock_within(milliseconds)?.ok_or_else(|| {
            let message = "another process keeps the channel locked; is it stopped?";
            io::Error::new(io::ErrorKind::TimedOut, message)
        })
    }

    /// `None` if somebody else still holds it after that time.
    pub(super) fn lock_within(&self, milliseconds: u32) -> io::Result<Option<Held<'_>>> {
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.0.as_raw_handle(), milliseconds) } {
            // Who has held it may have ended in between: whatever it guards is looked at before it is relied on.
            WAIT_OBJECT_0 | WAIT_ABANDONED => Ok(Some(Held { mutex: self, of_a_thread: PhantomData })),
            WAIT_TIMEOUT => Ok(None),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and this thread has locked the mutex.
        unsafe { ReleaseMutex(self.mutex.0.as_raw_handle()) };
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_thread_at_a_time_and_none_after_its_end() {
        let mutex = SharedMutex::new().unwrap();
        let other = SharedMutex::from_handle(mutex.handle().try_clone().unwrap()).unwrap();
        let held = mutex.lock().unwrap();
        let waits = || {
            assert!(other.lock_within(5).unwrap().is_none());
            other.lock_unless_kept(5).map(drop).unwrap_err().kind()
        };
        assert_eq!(thread::scope(|scope| scope.spawn(waits).join()).unwrap(), io::ErrorKind::TimedOut);
        drop(held);
        thread::scope(|scope| scope.spawn(|| std::mem::forget(other.lock().unwrap())).join()).unwrap();
        drop(mutex.lock().unwrap());
    }

    #[test]
    fn what_is_no_mutex_is_refused() {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(SharedMutex::from_handle(file.into()).is_none());
        assert!(SharedMutex::from_handle(super::super::handle::event().unwrap()).is_none());
    }
}
