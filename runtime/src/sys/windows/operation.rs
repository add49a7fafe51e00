//! One overlapped operation: reading or writing that goes on while its thread does something else.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr::NonNull;
#[cfg(feature = "tracing")]
use std::sync::TryLockError;
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tracing")]
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, HANDLE, STATUS_PENDING,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{ResetEvent, SetEvent};
use windows_sys::core::BOOL;

#[cfg(feature = "tracing")]
use super::handle::wait_for_one_of;
use super::handle::{check, event};
use super::lasting::Write;
use super::pipe::{self, is_closed, is_part};

/// Place for one operation at a time on one pipe. Whoever drops it has called [`cancel`](Operation::cancel).
#[derive(Debug)]
pub(super) struct Operation {
    /// Signalled when the operation is over.
    event: OwnedHandle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The system writes to it as long as the operation is pending: it never moves, and is only reached by this
    /// pointer. It was made by `Box::into_raw`.
    overlapped: NonNull<OVERLAPPED>,
    /// What is being written: the system reads it as long as the operation is pending.
    buffer: Vec<u8>,
    pending: bool,
}

// SAFETY: the pointer is to memory that the value owns, and the system lets any thread ask for the result.
unsafe impl Send for State {}

impl Operation {
    pub(super) fn new() -> io::Result<Self> {
        let overlapped = NonNull::from(Box::leak(Box::new(OVERLAPPED::default())));
        let state = State { overlapped, buffer: Vec::new(), pending: false };
        Ok(Self { event: event()?, state: Mutex::new(state) })
    }

    pub(super) fn event(&self) -> BorrowedHandle<'_> {
        self.event.as_handle()
    }

    pub(super) fn is_pending(&self) -> bool {
        self.lock().pending
    }

    /// Reads what is there, and waits if nothing is. Nothing is a pipe whose other end is closed.
    pub(super) fn read(&self, pipe: &OwnedHandle, into: &mut [u8]) -> io::Result<usize> {
        let len = u32::try_from(into.len()).unwrap_or(u32::MAX);
        let mut state = self.lock();
        state.start(&self.event, |overlapped| {
            // SAFETY: the handle is open. The buffer is valid for that length, and borrowed until `finish` below has
            // returned, when the operation is over.
            unsafe { ReadFile(pipe.as_raw_handle(), into.as_mut_ptr(), len, std::ptr::null_mut(), overlapped) }
        })?;
        state.finish(pipe)
    }

    /// Reads what is there, without waiting for more: `WouldBlock` if nothing is. What was seen in the pipe may be gone
    /// before it is read, with the process that was still writing it.
    pub(super) fn read_now(&self, pipe: &OwnedHandle, into: &mut [u8]) -> io::Result<usize> {
        let len = u32::try_from(into.len()).unwrap_or(u32::MAX);
        let mut state = self.lock();
        state.start(&self.event, |overlapped| {
            // SAFETY: the handle is open. The buffer is valid for that length, and borrowed until the operation is over:
            // one of the calls below has its result.
            unsafe { ReadFile(pipe.as_raw_handle(), into.as_mut_ptr(), len, std::ptr::null_mut(), overlapped) }
        })?;
        state.result_now(pipe)
    }

    /// Writes some of the bytes, and waits as long as the pipe takes none. What is still being written is first.
    pub(super) fn write(&self, pipe: &OwnedHandle, from: &[u8]) -> io::Result<usize> {
        let len = u32::try_from(from.len()).unwrap_or(u32::MAX);
        let mut state = self.lock();
        state.finish_before(pipe);
        state.start(&self.event, |overlapped| {
            // SAFETY: the handle is open. The bytes are valid for that length, and borrowed until `finish` below has
            // returned, when the operation is over.
            unsafe { WriteFile(pipe.as_raw_handle(), from.as_ptr(), len, std::ptr::null_mut(), overlapped) }
        })?;
        state.finish(pipe)
    }

    /// Writes a message if there is room for it now: `WouldBlock` if not, and then no part of it was written.
    pub(super) fn write_now(&self, pipe: &OwnedHandle, message: &[u8]) -> io::Result<usize> {
        let len = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut state = self.lock();
        state.start(&self.event, |overlapped| {
            // SAFETY: the handle is open. The bytes are valid for that length, and borrowed until the operation is over:
            // one of the calls below has its result.
            unsafe { WriteFile(pipe.as_raw_handle(), message.as_ptr(), len, std::ptr::null_mut(), overlapped) }
        })?;
        state.result_now(pipe)
    }

    /// As [`watch`](Self::watch), where messages are read: that there is one, or that the pipe is closed, is seen by the
    /// event in any case.
    pub(super) fn watch_messages(&self, pipe: &OwnedHandle) -> io::Result<()> {
        match self.watch(pipe) {
            Err(error) if is_part(&error) || is_closed(&error) => {
                // SAFETY: the handle is open; the event is this one's own.
                check(unsafe { SetEvent(self.event.as_raw_handle()) })
            }
            done => done,
        }
    }

    /// Has the event signalled when something can be read, or the other end is closed. A read of no bytes at all is
    /// over only then, and takes nothing away.
    pub(super) fn watch(&self, pipe: &OwnedHandle) -> io::Result<()> {
        let mut state = self.lock();
        if state.pending && state.result(pipe, false).is_none() {
            return Ok(());
        }
        let nothing = state.buffer.as_mut_ptr();
        state.start(&self.event, |overlapped| {
            // SAFETY: the handle is open, and the length is 0: no byte is ever written to the buffer.
            unsafe { ReadFile(pipe.as_raw_handle(), nothing, 0, std::ptr::null_mut(), overlapped) }
        })
    }

    /// Writes what `fill` puts into the buffer, or goes on with what it has put there the last time; `WouldBlock` if
    /// that is not over yet. It must be asked again with the same bytes then.
    pub(super) fn write_on(
        &self,
        pipe: &OwnedHandle,
        fill: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut state = self.lock();
        if !state.pending {
            state.buffer.clear();
            fill(&mut state.buffer)?;
            state.write_buffer(&self.event, pipe)?;
        }
        state.result(pipe, false).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Writes the bytes without waiting: if the pipe takes them later, they are on their way until then. Waits only if others
    /// are, see [`is_idle_by`](Self::is_idle_by).
    #[cfg(feature = "tracing")]
    pub(super) fn write_behind(&self, pipe: &OwnedHandle, from: Vec<u8>) -> io::Result<()> {
        let mut state = self.lock();
        state.finish_before(pipe);
        state.buffer = from;
        state.write_buffer(&self.event, pipe)
    }

    /// Whether nothing is on its way any more; waits for that until the deadline.
    #[cfg(feature = "tracing")]
    pub(super) fn is_idle_by(&self, pipe: &OwnedHandle, deadline: Instant) -> bool {
        loop {
            let state = match self.state.try_lock() {
                Ok(state) => Some(state),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                // Whoever holds it is writing, and waits.
                Err(TryLockError::WouldBlock) => None,
            };
            let is_held = state.is_none();
            if state.is_some_and(|mut state| !state.pending || state.result(pipe, false).is_some()) {
                return true;
            }
            if is_held {
                std::thread::sleep(Duration::from_millis(1));
            } else if wait_for_one_of(&[self.event()], Some(deadline)).is_err() {
                return false;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    /// Ends the operation, if it is not over. Its event is not signalled afterwards, for whoever has a duplicate.
    pub(super) fn cancel(&self, pipe: &OwnedHandle) {
        let mut state = self.lock();
        if state.pending {
            // SAFETY: the handle is open, and the pointer is to the operation's own structure. It fails if the
            // operation is over already.
            unsafe { CancelIoEx(pipe.as_raw_handle(), state.overlapped.as_ptr()) };
            let _ = state.result(pipe, true);
        }
        // SAFETY: the handle is open; the event is this one's own.
        unsafe { ResetEvent(self.event.as_raw_handle()) };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Starts an operation, which is over before this thread ends, or can be started again. None may be pending.
    fn start(&mut self, event: &OwnedHandle, start: impl FnOnce(*mut OVERLAPPED) -> BOOL) -> io::Result<()> {
        self.begin(event, |overlapped| check(start(overlapped)))
    }

    /// Starts to write the buffer, which may go on for as long as it takes.
    fn write_buffer(&mut self, event: &OwnedHandle, pipe: &OwnedHandle) -> io::Result<()> {
        let (bytes, len) = (self.buffer.as_ptr(), u32::try_from(self.buffer.len()).unwrap_or(u32::MAX));
        self.begin(event, |overlapped| {
            // SAFETY: the handle is open. The bytes are those of the buffer, which stays as it is while the operation is
            // pending: it is changed only where none is, and freed after `cancel` only.
            let write = unsafe { Write::new(pipe.as_raw_handle(), bytes, len, overlapped) };
            if pipe::has_room(pipe, len) { write.begin() } else { write.begin_to_last() }
        })
    }

    fn begin(&mut self, event: &OwnedHandle, begin: impl FnOnce(*mut OVERLAPPED) -> io::Result<()>) -> io::Result<()> {
        assert!(!self.pending, "an operation at a time");
        let hevent: HANDLE = event.as_raw_handle();
        // SAFETY: the pointer is valid, and as no operation is pending, nobody else uses what it points to.
        unsafe { self.overlapped.write(OVERLAPPED { hEvent: hevent, ..OVERLAPPED::default() }) };
        match begin(self.overlapped.as_ptr()) {
            Err(error) if error.raw_os_error() != Some(ERROR_IO_PENDING as i32) => return Err(error),
            _ => {}
        }
        // Also if it is over already: its result is taken in one place.
        self.pending = true;
        Ok(())
    }

    /// Waits until the operation before the next one is over. How it has ended is seen by the next one as well.
    fn finish_before(&mut self, pipe: &OwnedHandle) {
        if self.pending {
            let _ = self.result(pipe, true);
        }
    }

    /// Waits until the operation is over.
    fn finish(&mut self, pipe: &OwnedHandle) -> io::Result<usize> {
        self.result(pipe, true).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// The result, or `WouldBlock` if the operation is not over: it is taken back then.
    fn result_now(&mut self, pipe: &OwnedHandle) -> io::Result<usize> {
        if let Some(result) = self.result(pipe, false) {
            return result;
        }
        // SAFETY: as in `cancel`.
        unsafe { CancelIoEx(pipe.as_raw_handle(), self.overlapped.as_ptr()) };
        match self.finish(pipe) {
            Err(error) if error.raw_os_error() == Some(ERROR_OPERATION_ABORTED as i32) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            done => done,
        }
    }

    /// The result, if the operation is over; `wait` waits for that.
    fn result(&mut self, pipe: &OwnedHandle, wait: bool) -> Option<io::Result<usize>> {
        let mut count = 0;
        // SAFETY: the handle is open, the pointer is that of an operation that was started on it, and the call writes
        // to `count`.
        let done =
            unsafe { GetOverlappedResult(pipe.as_raw_handle(), self.overlapped.as_ptr(), &raw mut count, wait.into()) };
        let result = if done == 0 { Err(io::Error::last_os_error()) } else { Ok(count as usize) };
        if matches!(&result, Err(error) if error.raw_os_error() == Some(ERROR_IO_INCOMPLETE as i32)) {
            return None;
        }
        // SAFETY: the pointer is valid, so there is such a field.
        let status = unsafe { &raw const (*self.overlapped.as_ptr()).Internal };
        // SAFETY: as above. The system may write to the field meanwhile, so it is read as such.
        let status = unsafe { status.read_volatile() };
        if status == STATUS_PENDING as usize {
            // It could not be waited for, and the system still has the memory. This takes code that closes handles
            // which are not its own: there is no way on.
            std::process::abort();
        }
        self.pending = false;
        Some(result)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.pending {
            // Never got here by this module's users. The system may still write to it.
            std::mem::take(&mut self.buffer).leak();
            return;
        }
        // SAFETY: it was made by `Box::leak`, and no operation uses it any more.
        drop(unsafe { Box::from_raw(self.overlapped.as_ptr()) });
    }
}
