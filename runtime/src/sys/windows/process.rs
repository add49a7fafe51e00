//! A child process, by its handle: unlike a process id, that never names another process.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    EXCEPTION_BREAKPOINT, EXCEPTION_DATATYPE_MISALIGNMENT, EXCEPTION_GUARD_PAGE, EXCEPTION_SINGLE_STEP, NTSTATUS,
};
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, TerminateProcess};

use super::handle::{check, is_signalled, wait_for_one_of};
use super::{Stream, job};
use crate::error::ExitStatus;
use crate::sys::Ended;

/// The exit code of a process that was killed. Windows has none of its own for that; this is how shells report SIGKILL.
const KILLED: u32 = 137;

/// How long a process may take to end that does so already.
const ENDING: Duration = Duration::from_secs(1);

/// A process that this one has started.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    watch: Watch,
    ended: Option<Ended>,
}

/// Can kill a process and tell that it has ended, whoever owns it. Stays harmless after it has ended.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Ends>);

/// What this process holds of another.
#[derive(Debug)]
struct Ends {
    process: OwnedHandle,
    /// The only handle to the job, whose closing ends the child. `None` once it was given up.
    job: Mutex<Option<OwnedHandle>>,
}

impl Process {
    pub(super) fn new(id: u32, process: OwnedHandle, job: OwnedHandle) -> Self {
        Self { id, watch: Watch(Arc::new(Ends { process, job: Mutex::new(Some(job)) })), ended: None }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Ends the process at once. No error if it has ended.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.watch.kill()
    }

    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// How the process has ended, if it has. Returns the same answer ever after.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<Ended>> {
        // Not by the exit code: 259, which says that a process still runs, is an exit code like any other.
        if self.ended.is_none() && is_signalled(self.handle()) {
            let mut code = 0;
            // SAFETY: the handle is open, and the call writes to `code`.
            check(unsafe { GetExitCodeProcess(self.handle().as_raw_handle(), &raw mut code) })?;
            self.ended = Some(Ended::With(status(code)));
        }
        Ok(self.ended)
    }

    /// Lets the process live on when this one ends.
    pub(crate) fn release(&self, stream: &Stream) -> io::Result<()> {
        // It gets them from this process, which may be about to end.
        stream.await_sockets();
        let mut held = self.watch.0.job.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = &*held {
            job::release(job)?;
            *held = None;
        }
        Ok(())
    }

    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.watch.handle()
    }
}

impl Watch {
    /// Ends the process at once. No error if it has ended.
    pub(crate) fn kill(&self) -> io::Result<()> {
        // SAFETY: the handle is open.
        let done = check(unsafe { TerminateProcess(self.handle().as_raw_handle(), KILLED) });
        // The system refuses that for a process that has ended, or is just about to.
        done.or_else(|error| {
            wait_for_one_of(&[self.handle()], Some(Instant::now() + ENDING))?;
            if is_signalled(self.handle()) { Ok(()) } else { Err(error) }
        })
    }

    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.0.process.as_handle()
    }
}

/// Whether a process that ended so may have been killed by [`Watch::kill`].
pub(crate) fn is_kill(status: ExitStatus) -> bool {
    status.code() == Some(KILLED as i32)
}

/// Exit codes are numbers of 32 bits, and so are the status codes of which the system makes them when a process ends
/// by an exception. Those of errors begin with the bits 1100: two of severity, one that is set for codes of
/// programs, one that is never set. Four exceptions of processors are only warnings.
fn status(code: u32) -> ExitStatus {
    let is_exception = code >> 28 == 0xC || WARNINGS.contains(&(code as NTSTATUS));
    if is_exception { ExitStatus::from_exception(code) } else { ExitStatus::from_code(code as i32) }
}

/// Those that end a process which does not handle them.
const WARNINGS: [NTSTATUS; 4] =
    [EXCEPTION_GUARD_PAGE, EXCEPTION_DATATYPE_MISALIGNMENT, EXCEPTION_BREAKPOINT, EXCEPTION_SINGLE_STEP];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_exceptions_are_told_apart() {
        for code in [0, 1, 101, 137, 259, 0x7fff_ffff, 0x8000_0000, 0x8000_0005, 0xE000_0001, u32::MAX] {
            assert_eq!(status(code).code(), Some(code as i32));
            assert_eq!(status(code).exception(), None);
        }
        for code in [0x8000_0003, 0xC000_0005, 0xC000_0409, 0xC000_00FD, 0xC000_013A] {
            assert_eq!((status(code).code(), status(code).exception()), (None, Some(code)));
        }
        assert!(is_kill(status(KILLED)) && !is_kill(status(1)));
    }
}
