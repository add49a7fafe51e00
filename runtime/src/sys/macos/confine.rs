//! What a process takes from itself: priority. The system has no limit of memory that it enforces, and lets no process
//! choose its processors.

#![allow(unsafe_code)]

use std::io;

use crate::sys::Confinement;

/// Confines this process, and what it starts.
pub(crate) fn confine(to: &Confinement) -> io::Result<()> {
    if to.memory.is_some() {
        // getrlimit(2) knows no limit of the address space, and that of resident memory only says whose is taken first.
        return Err(unsupported("macOS does not limit the memory of a process"));
    }
    if !to.processors.is_empty() {
        return Err(unsupported("macOS does not let a process choose its processors"));
    }
    match to.niceness {
        // SAFETY: setpriority(2) has no preconditions; 0 means this process.
        Some(niceness) if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) } < 0 => {
            Err(io::Error::last_os_error())
        }
        _ => Ok(()),
    }
}

fn unsupported(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, text)
}
