//! What a process takes from itself: its priority. The limit of the address space is not documented to be kept here, and
//! which processors a process runs on is not for it to say.

#![allow(unsafe_code)]

use std::io;

use crate::sys::Confinement;

/// Confines this process.
pub(crate) fn confine(to: &Confinement) -> io::Result<()> {
    if to.memory.is_some() || !to.processors.is_empty() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if let Some(niceness) = to.niceness {
        // SAFETY: setpriority(2) has no preconditions; 0 means this process.
        if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
