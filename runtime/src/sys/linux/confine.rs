//! What a process takes from itself: memory, processors, priority.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use rustix::process::{Resource, Rlimit};

use crate::sys::Confinement;

/// Confines this process, and what it starts.
pub(crate) fn confine(to: &Confinement) -> io::Result<()> {
    if let Some(bytes) = to.memory {
        rustix::process::setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    }
    if !to.processors.is_empty() {
        set_affinity(&to.processors)?;
    }
    if let Some(niceness) = to.niceness {
        // SAFETY: setpriority(2) has no preconditions; 0 means this process.
        check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) })?;
    }
    Ok(())
}

fn set_affinity(processors: &[u32]) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: a set whose bits are all zero is the empty set.
    let set = unsafe { set.assume_init_mut() };
    for &processor in processors {
        let number = usize::try_from(processor).unwrap_or(usize::MAX);
        if number >= size_of::<libc::cpu_set_t>() * 8 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the number lies within the set.
        unsafe { libc::CPU_SET(number, set) };
    }
    // SAFETY: sched_setaffinity(2) reads the set, of this size; 0 means this thread, and no other runs yet.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const *set) })
}

fn check(done: libc::c_int) -> io::Result<()> {
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
