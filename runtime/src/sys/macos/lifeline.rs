//! What binds the life of a child to that of its parent: a pipe whose other end only the parent has.
//!
//! When the parent ends, however it does, the kernel closes that end, and a thread of the child, which does nothing but
//! read, ends the child. A byte lets the child go. No signal comes by itself here, as it does on Linux; so a child
//! that is stopped ends when it is continued.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::process::{Signal, getpid, kill_process};

use crate::sys::unix::{is_cut, with_signals_blocked};

/// In the child: ends this process when its parent ends. `false` if it has ended before.
pub(in crate::sys) fn hold_on(lifeline: OwnedFd) -> io::Result<bool> {
    let mut lifeline = File::from(lifeline);
    if is_cut(&lifeline)? {
        // It does not block. What is left in it is the byte of a parent that has let this process go.
        return Ok(lifeline.read(&mut [0])? > 0);
    }
    let thread = std::thread::Builder::new().name("spawnsafe-lifeline".into()).stack_size(64 << 10);
    with_signals_blocked(|| thread.spawn(move || watch(&mut lifeline)))?;
    Ok(true)
}

fn watch(lifeline: &mut File) {
    loop {
        match lifeline.read(&mut [0]) {
            Ok(0) => {
                // No code of the program's runs on the way out.
                let _ = kill_process(getpid(), Signal::KILL);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // It was let go, or the entry has closed descriptors that are not its own.
            Ok(_) | Err(_) => return,
        }
    }
}

/// In the parent: lets the child live on.
pub(super) fn release(held: &OwnedFd) -> io::Result<()> {
    // fcntl(2): a write to a pipe that nobody reads is an error, never a signal. It belongs to the open file, so that pipes
    // of standard streams are not to have it: the child's end of those is for any program.
    // SAFETY: the call takes an integer and touches no memory of this process.
    if unsafe { libc::fcntl(held.as_raw_fd(), libc::F_SETNOSIGPIPE, 1) } < 0 {
        return Err(io::Error::last_os_error());
    }
    match rustix::io::write(held, &[0]) {
        // It has ended.
        Ok(_) | Err(rustix::io::Errno::PIPE) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
