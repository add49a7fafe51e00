//! A child process, by its descriptor: unlike a process id, that never names another process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions};

use super::{Stream, lifeline};
use crate::error::ExitStatus;
use crate::sys::Ended;

/// A process that this one has started.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    watch: Watch,
    ended: Option<Ended>,
}

/// Can kill a process and tell that it has ended, whoever owns it. Stays harmless after it was reaped.
///
/// `None` if it had ended before a descriptor could be had, and somebody else had reaped it.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Option<Arc<Ends>>);

/// What this process holds of another.
#[derive(Debug)]
struct Ends {
    pidfd: OwnedFd,
    /// The write end of the pipe whose closing kills the child. Nobody ever writes to it. `None` once it was given up.
    lifeline: Mutex<Option<OwnedFd>>,
}

impl Process {
    pub(in crate::sys) fn new(id: u32, lifeline: OwnedFd) -> io::Result<Self> {
        let pid = pid(id)?;
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self::known(id, pidfd, lifeline)),
            Err(Errno::SRCH) => Ok(Self { id, watch: Watch(None), ended: Some(Ended::Unknown) }),
            Err(error) => {
                // Without a descriptor it could not be waited for. Its id is still its own, unless somebody else has
                // reaped it: then `waitpid` says so, and only a process that was not yet reaped is killed.
                let still_ours = retry(|| rustix::process::waitpid(Some(pid), WaitOptions::NOHANG));
                if let Ok(None) = still_ours {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                    let _ = retry(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
                }
                Err(error.into())
            }
        }
    }

    /// The process of that id and descriptor.
    pub(in crate::sys) fn known(id: u32, pidfd: OwnedFd, lifeline: OwnedFd) -> Self {
        let ends = Ends { pidfd, lifeline: Mutex::new(Some(lifeline)) };
        Self { id, watch: Watch(Some(Arc::new(ends))), ended: None }
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
        let (None, Watch(Some(ends))) = (self.ended, &self.watch) else { return Ok(self.ended) };
        let pidfd = &ends.pidfd;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = retry(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options));
        self.ended = match status {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.exit_status().map_or_else(
                || {
                    let signal = status.terminating_signal().unwrap_or_default();
                    Ended::With(ExitStatus::from_signal(signal, status.dumped()))
                },
                |code| Ended::With(ExitStatus::from_code(code)),
            )),
            // The program ignores SIGCHLD, or reaps with `waitpid(-1)`: the status went elsewhere.
            Err(Errno::CHILD) => Some(exit_info(pidfd).map_or(Ended::Unknown, Ended::With)),
            Err(error) => return Err(error.into()),
        };
        Ok(self.ended)
    }

    /// Has the kernel kill the process when this one ends. If that fails, it is killed now.
    pub(in crate::sys) fn arm(&self, lifeline: &OwnedFd) -> io::Result<()> {
        let armed = match pid(self.id) {
            Ok(pid) if self.watch.0.is_some() => lifeline::arm(lifeline, pid),
            _ => Ok(()),
        };
        // It has ended, and somebody else has reaped it.
        let is_gone = |error: &io::Error| error.raw_os_error() == Some(libc::ESRCH);
        let armed = armed.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) });
        armed.inspect_err(|_| self.kill_and_reap())
    }

    fn kill_and_reap(&self) {
        let _ = self.kill();
        if let Some(pidfd) = self.pidfd() {
            let _ = retry(|| rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED));
        }
    }

    /// Lets the process live on when this one ends.
    ///
    /// The child's kernel side kills it when the last write end of its lifeline closes, and the child itself is busy
    /// with its entry. So the write end goes into the queue of the child's connection, which holds it open as long as
    /// the child lives; the child need not read it.
    pub(crate) fn release(&self, stream: &Stream) -> io::Result<()> {
        let Watch(Some(ends)) = &self.watch else { return Ok(()) };
        let mut lifeline = ends.lifeline.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fd) = &*lifeline {
            match lifeline::park(fd, stream) {
                // It has ended, or is about to: of what ends, the connection closes a moment before.
                Err(error) if is_closed(&error) && ends_soon(&ends.pidfd) => {}
                parked => parked?,
            }
            *lifeline = None;
        }
        Ok(())
    }

    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.pidfd()
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Whether the process ends within a second.
fn ends_soon(pidfd: &OwnedFd) -> bool {
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    retry(|| rustix::event::poll(&mut fds, Some(&second))).is_ok_and(|count| count > 0)
}

/// Again, where a signal has interrupted the call.
fn retry<T>(call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    rustix::io::retry_on_intr(call)
}

fn pid(id: u32) -> io::Result<Pid> {
    Ok(i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?)
}

impl Watch {
    /// Ends the process at once. No error if it has ended.
    ///
    /// A parent that has changed its user since may not signal its child any more. Then the lifeline is let go: the
    /// kernel kills with the rights that the parent had when it armed it.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let Some(ends) = &self.0 else { return Ok(()) };
        match rustix::process::pidfd_send_signal(&ends.pidfd, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => match ends.lifeline.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(lifeline) => {
                    drop(lifeline);
                    Ok(())
                }
                None => Err(error.into()),
            },
        }
    }

    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|ends| ends.pidfd.as_fd())
    }
}

/// Whether a process that ended so may have been killed by [`Watch::kill`].
pub(crate) fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// `struct pidfd_info` of `linux/pidfd.h`, in its first published size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;
const PIDFD_GET_INFO: u64 = 0xc040_ff0b; // _IOWR(0xff, 11, struct pidfd_info)

/// How a process that somebody else has reaped ended; known to Linux from 6.15 on.
#[allow(unsafe_code)]
fn exit_info(pidfd: &OwnedFd) -> Option<ExitStatus> {
    use std::os::fd::AsRawFd as _;

    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: ioctl(2) with PIDFD_GET_INFO reads and writes one `struct pidfd_info` of the size that its number
    // encodes, 64 bytes, which is the size of `PidfdInfo`; the descriptor is open and `info` is borrowed for the call.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as libc::Ioctl, &raw mut info) };
    if done != 0 || info.mask & PIDFD_INFO_EXIT == 0 {
        return None;
    }
    let status = info.exit_code;
    Some(if libc::WIFEXITED(status) {
        ExitStatus::from_code(libc::WEXITSTATUS(status))
    } else {
        ExitStatus::from_signal(libc::WTERMSIG(status), libc::WCOREDUMP(status))
    })
}

const _: () = assert!(size_of::<PidfdInfo>() == 64);
