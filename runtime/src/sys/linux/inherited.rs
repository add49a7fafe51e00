//! What a process has from the thread that starts it, besides what it is told.

#![allow(unsafe_code)]

use std::io;

use rustix::fs::{AtFlags, CWD, Stat};
use rustix::process::{Resource, getpriority_process, getrlimit};

use super::status::Status;

/// What a process would inherit that this thread starts now. Two that are equal were to be had from the same start.
///
/// It holds what a program is likely to change while it runs: directory and root, umask, users and groups, capabilities,
/// ignored signals, session and process group, processors, niceness, scheduling policy, limits, seccomp filters. Left out is
/// what is dear to ask for and seldom changed by the process itself: control groups, namespaces, the adjustment for
/// being out of memory; and descriptors above those of the standard streams, which no entry is promised. The mask of blocked
/// signals and what happens at SIGPIPE and SIGCHLD are the same in every child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inherited(Vec<u8>);

/// Those that concern what a program of ours may do. The others (queues, real time, locks) hold for few programs, and each
/// is a call.
const LIMITS: [Resource; 9] = [
    Resource::As,
    Resource::Core,
    Resource::Cpu,
    Resource::Data,
    Resource::Fsize,
    Resource::Memlock,
    Resource::Nofile,
    Resource::Nproc,
    Resource::Stack,
];

impl Inherited {
    pub(crate) fn now() -> io::Result<Self> {
        let mut all = Status::now()?.inherited();
        for stat in [here()?, rustix::fs::stat(c"/")?] {
            #[allow(clippy::useless_conversion)] // Their types are not the same on all processors.
            let place = [u64::from(stat.st_dev), u64::from(stat.st_ino)];
            place.iter().for_each(|part| all.extend_from_slice(&part.to_ne_bytes()));
        }
        for resource in LIMITS {
            let limit = getrlimit(resource);
            for bound in [limit.current, limit.maximum] {
                all.extend_from_slice(&bound.unwrap_or(u64::MAX).to_ne_bytes());
            }
        }
        all.extend_from_slice(&getpriority_process(None)?.to_ne_bytes());
        // SAFETY: sched_getscheduler(2) takes a number; 0 is the calling thread.
        all.extend_from_slice(&unsafe { libc::sched_getscheduler(0) }.to_ne_bytes());
        Ok(Self(all))
    }
}

/// This process's directory; also one that this user may not enter any more.
pub(super) fn here() -> rustix::io::Result<Stat> {
    rustix::fs::statat(CWD, c"", AtFlags::EMPTY_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen() {
        // On a thread of its own: niceness is a thread's.
        let thread = std::thread::spawn(|| {
            let before = Inherited::now().unwrap();
            assert_eq!(before, Inherited::now().unwrap());
            let niceness = getpriority_process(None).unwrap();
            rustix::process::setpriority_process(None, niceness + 1).unwrap();
            assert_ne!(before, Inherited::now().unwrap());
        });
        thread.join().unwrap();
    }
}
