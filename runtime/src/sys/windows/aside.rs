//! What takes as long as another process pleases, done by a thread of its own.
//!
//! A handle from another process may be that of a file or pipe which was not opened to be overlapped. Whatever is asked of
//! such a one waits until what others do with it is over, and no call tells that before. So it is done where nobody is
//! held up: a thread waits, until a deadline or for ever, which is until the last process that keeps it waiting has ended.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use windows_sys::Win32::System::Threading::SetEvent;

use super::handle::{event, wait_for_one_of};

/// What is being found out. Who drops it leaves the threads behind.
#[derive(Debug)]
pub(super) struct Aside<T>(Place<Option<T>>);

/// Where a thread puts what it has found out.
type Place<T> = Arc<Mutex<Option<T>>>;

impl<T: Send + 'static> Aside<T> {
    /// Has the work done, and the event set then, or at the deadline.
    pub(super) fn begin(
        bell: OwnedHandle,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Self> {
        // One that works, and one that stops waiting for it.
        begin(bell, move || within(deadline, work)).map(Self)
    }

    /// Whether the event was set.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.0).is_some()
    }

    /// What was found out, once; nothing if that has taken too long. `None` as long as it is not over.
    pub(super) fn take(&self) -> Option<Option<T>> {
        lock(&self.0).take()
    }
}

/// Does the work, and waits for it until then; `None` if it takes longer.
pub(super) fn within<T: Send + 'static>(deadline: Instant, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let bell = event().ok()?;
    let place = begin(bell.try_clone().ok()?, work).ok()?;
    wait_for_one_of(&[bell.as_handle()], Some(deadline)).ok()?;
    lock(&place).take()
}

fn begin<T: Send + 'static>(bell: OwnedHandle, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Place<T>> {
    let place = Arc::new(Mutex::new(None));
    let of_thread = Arc::clone(&place);
    thread::Builder::new().name("spawnsafe-fetch".into()).stack_size(128 << 10).spawn(move || {
        let done = work();
        let mut place = lock(&of_thread);
        *place = Some(done);
        // While nobody can take it yet: whoever has taken it uses the event for something else.
        // SAFETY: the handle is open.
        unsafe { SetEvent(bell.as_raw_handle()) };
    })?;
    Ok(place)
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_takes_too_long_is_left_behind() {
        let (sender, receiver) = mpsc::channel::<()>();
        let bell = event().unwrap();
        let soon = Instant::now() + Duration::from_millis(50);
        let aside = Aside::begin(bell.try_clone().unwrap(), soon, move || receiver.recv()).unwrap();
        assert!(aside.take().is_none() && !aside.is_over());
        wait_for_one_of(&[bell.as_handle()], None).unwrap();
        assert!(Instant::now() >= soon && aside.is_over());
        assert_eq!(aside.take(), Some(None));
        drop(sender);
        let later = Instant::now() + Duration::from_secs(60);
        assert_eq!(within(later, || 7), Some(7));
    }
}
