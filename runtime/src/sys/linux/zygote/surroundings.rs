//! What a process has from the one that executes it, beyond what it is given: seen in the parent, entered in a child that was
//! forked elsewhere.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::Mode;
use rustix::process::Pid;

use crate::sys::imp::status::{Status, bit};

/// A set of processors, as the system calls have it.
const PROCESSORS_LEN: usize = size_of::<libc::cpu_set_t>();

/// See the head of this file. Of the thread that asks, where threads may differ.
#[derive(Debug)]
pub(crate) struct Surroundings {
    standing: Standing,
    umask: u32,
    ignored: u64,
    niceness: i32,
    group: i32,
    processors: [u8; PROCESSORS_LEN],
}

/// What a process cannot, or should not, take from another one: a child must be forked from one that has the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Users, groups, capabilities, session and filters of system calls, as `/proc` shows them.
    status: Vec<u8>,
    limits: Vec<(u64, u64)>,
    /// Device and number of the root directory.
    root: (u64, u64),
    /// The scheduling policy.
    policy: i32,
}

impl Surroundings {
    /// How many bytes of the encoded form precede the environment.
    pub(super) const LEN: usize = 20 + PROCESSORS_LEN + 1;

    /// What a process would have that were executed now by this thread.
    pub(crate) fn now() -> io::Result<Self> {
        let status = Status::now()?;
        let umask = status.field("Umask:").and_then(|mask| u32::from_str_radix(mask, 8).ok());
        let not_told = || io::Error::new(io::ErrorKind::InvalidData, "`/proc` does not tell the umask of this process");
        Ok(Self {
            standing: Standing::of(&status)?,
            umask: umask.ok_or_else(not_told)?,
            ignored: status.ignored(),
            niceness: niceness()?,
            group: process_group(),
            processors: processors(),
        })
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(crate) fn into_standing(self) -> Standing {
        self.standing
    }

    /// The bytes that a child is to [enter](Self::enter), with its environment behind them, if that is not its zygote's.
    pub(crate) fn encode(&self, variables: Option<&[(OsString, OsString)]>) -> Vec<u8> {
        let mut to = Vec::with_capacity(Self::LEN + variables.map_or(0, |variables| variables.len() * 64));
        to.extend_from_slice(&self.ignored.to_ne_bytes());
        to.extend_from_slice(&self.umask.to_ne_bytes());
        to.extend_from_slice(&self.niceness.to_ne_bytes());
        to.extend_from_slice(&self.group.to_ne_bytes());
        to.extend_from_slice(&self.processors);
        to.push(variables.is_some().into());
        for (key, value) in variables.unwrap_or_default() {
            for part in [key.as_bytes(), b"=", value.as_bytes(), b"\0"] {
                to.extend_from_slice(part);
            }
        }
        to
    }

    /// Whether an environment is behind these bytes.
    pub(super) fn has_environment(encoded: &[u8; Self::LEN]) -> bool {
        encoded[Self::LEN - 1] != 0
    }

    /// In a child: takes over what has been encoded, but for the environment. `ignored` are the signals that it ignores now.
    pub(super) fn enter(encoded: &[u8; Self::LEN], ignored: u64) -> io::Result<()> {
        let number = |at: usize| i32::from_ne_bytes([encoded[at], encoded[at + 1], encoded[at + 2], encoded[at + 3]]);
        let [i0, i1, i2, i3, i4, i5, i6, i7, ..] = *encoded;
        let wanted = u64::from_ne_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
        for signal in (1..=64).filter(|signal| (wanted ^ ignored) & bit(*signal) != 0) {
            let disposition = if wanted & bit(signal) == 0 { libc::SIG_DFL } else { libc::SIG_IGN };
            // SAFETY: signal(2) with these dispositions installs no function.
            unsafe { libc::signal(signal, disposition) };
        }
        rustix::process::umask(Mode::from_raw_mode(number(8).unsigned_abs()));
        if niceness()? != number(12) {
            // SAFETY: setpriority(2) has no preconditions; 0 means this process.
            check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, number(12)) })?;
        }
        // One without a number cannot be joined.
        if number(16) > 0 && process_group() != number(16) {
            rustix::process::setpgid(None, Pid::from_raw(number(16)))?;
        }
        let wanted = &encoded[20..][..PROCESSORS_LEN];
        if wanted != processors() && wanted.iter().any(|&byte| byte != 0) {
            // SAFETY: sched_setaffinity(2) reads a set of this size, which may be at any address, as it is only copied; 0 means
            // this thread, and no other runs yet.
            check(unsafe { libc::sched_setaffinity(0, PROCESSORS_LEN, wanted.as_ptr().cast()) })?;
        }
        Ok(())
    }
}

impl Standing {
    fn of(status: &Status) -> io::Result<Self> {
        let root = rustix::fs::stat(c"/")?;
        Ok(Self {
            status: status.standing(),
            limits: limits(),
            #[allow(clippy::useless_conversion)] // Not on all processors.
            root: (root.st_dev.into(), root.st_ino.into()),
            // SAFETY: sched_getscheduler(2) has no preconditions; 0 means this thread.
            policy: unsafe { libc::sched_getscheduler(0) },
        })
    }
}

/// This process's group; 0 if that is of another process namespace, as for what a container's first process is started in. Not by
/// `rustix`, which has no process 0.
fn process_group() -> i32 {
    // SAFETY: getpgrp(2) has no preconditions.
    unsafe { libc::getpgrp() }
}

fn niceness() -> io::Result<i32> {
    // SAFETY: getpriority(2) has no preconditions; 0 means this thread. The system call itself, as the function of that name
    // returns -1 for an error and for a niceness.
    let number = unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, 0) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(20 - number as i32) }
}

/// The processors that this thread may run on; none if there are more than fit.
fn processors() -> [u8; PROCESSORS_LEN] {
    let mut set = [0; PROCESSORS_LEN];
    // SAFETY: sched_getaffinity(2) writes at most so many bytes; 0 means this thread. The system call itself, as the set is
    // bytes here.
    if unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, PROCESSORS_LEN, set.as_mut_ptr()) } < 0 {
        set.fill(0);
    }
    set
}

/// All limits that there are, soft and hard.
fn limits() -> Vec<(u64, u64)> {
    let limit = |resource: u32| {
        let mut limit = MaybeUninit::<libc::rlimit64>::uninit();
        // SAFETY: prlimit(2) writes to the place for the old limits if it succeeds, and reads no new ones; 0 means this process.
        let done = unsafe { libc::prlimit64(0, resource as _, std::ptr::null(), limit.as_mut_ptr()) };
        // SAFETY: it was written.
        (done == 0).then(|| unsafe { limit.assume_init() }).map(|limit| (limit.rlim_cur, limit.rlim_max))
    };
    // There are 16; a number beyond is an error.
    (0..16).map_while(limit).collect()
}

fn check(done: libc::c_int) -> io::Result<()> {
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
