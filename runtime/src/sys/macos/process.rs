//! A child process, by its id: that names no other process until this one has reaped it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid};

use super::{Stream, lifeline};
use crate::error::ExitStatus;
use crate::sys::Ended;

/// A process that this one has started.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    watch: Watch,
}

/// Can kill a process and tell that it has ended, whoever owns it. Stays harmless after it was reaped.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Ends>);

/// What this process knows of another.
#[derive(Debug)]
struct Ends {
    pid: Pid,
    /// Locked while the id is used, so that it is not reaped meanwhile.
    ended: Mutex<Option<Ended>>,
    /// The end of the pipe whose closing ends the child. `None` once it was given up.
    lifeline: Mutex<Option<OwnedFd>>,
}

impl Process {
    pub(in crate::sys) fn new(id: u32, lifeline: OwnedFd) -> io::Result<Self> {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let ends = Ends { pid, ended: Mutex::new(None), lifeline: Mutex::new(Some(lifeline)) };
        Ok(Self { id, watch: Watch(Arc::new(ends)) })
    }

    /// The child holds on to its end by itself.
    pub(in crate::sys) fn arm(&self, _: &OwnedFd) -> io::Result<()> {
        Ok(())
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

    /// Reaps the process if it has ended. Returns the same answer ever after.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<Ended>> {
        let mut ended = lock(&self.watch.0.ended);
        if ended.is_none() {
            *ended = match retry_on_intr(|| waitpid(Some(self.watch.0.pid), WaitOptions::NOHANG)) {
                Ok(None) => None,
                Ok(Some((_, status))) => Some(Ended::With(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => ExitStatus::from_code(code),
                    (None, signal) => {
                        ExitStatus::from_signal(signal.unwrap_or_default(), libc::WCOREDUMP(status.as_raw()))
                    }
                })),
                // The program ignores SIGCHLD, or reaps with `waitpid(-1)`: the status went elsewhere.
                Err(Errno::CHILD) => Some(Ended::Unknown),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(*ended)
    }

    /// Lets the process live on when this one ends.
    pub(crate) fn release(&self, _: &Stream) -> io::Result<()> {
        let mut held = lock(&self.watch.0.lifeline);
        if let Some(fd) = &*held {
            lifeline::release(fd)?;
            *held = None;
        }
        Ok(())
    }

    pub(super) fn running(&self) -> Option<libc::pid_t> {
        self.watch.running()
    }
}

impl Watch {
    /// Ends the process at once. No error if it has ended. One that this process may not signal any more, as that has
    /// changed its user, ends by its lifeline.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let ended = lock(&self.0.ended);
        if ended.is_some() {
            return Ok(());
        }
        match kill_process(self.0.pid, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => lock(&self.0.lifeline).take().map(drop).ok_or_else(|| error.into()),
        }
    }

    /// The id, unless the process was reaped.
    pub(super) fn running(&self) -> Option<libc::pid_t> {
        lock(&self.0.ended).is_none().then(|| self.0.pid.as_raw_nonzero().get())
    }
}

/// Waits the moment between a process's end, of which the kernel has told, and its status being there.
pub(super) fn await_status(pid: libc::pid_t) {
    if let Some(pid) = Pid::from_raw(pid) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // Somebody else may have reaped it: then there is nothing to wait for.
        let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), options));
    }
}

/// Whether a process that ended so may have been killed by [`Watch::kill`].
pub(crate) fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
