//! Who this process is, and who has made its connection.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

/// Whether this process runs with more rights than the one that started it gave: set-user-id, capabilities. Its
/// environment is then not to be believed.
pub(crate) fn has_raised_privileges() -> bool {
    // SAFETY: getauxval(3) looks up a number; there are no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The process that has made a socket pair. Not by `rustix`, which has no process 0.
pub(in crate::sys) fn maker(socket: &OwnedFd) -> Option<libc::pid_t> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of_val(&credentials) as libc::socklen_t;
    // SAFETY: getsockopt(2) writes at most `len` bytes, the size of the variable, and the length; both are borrowed
    // for the call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut len,
        )
    };
    (done == 0 && len as usize == size_of_val(&credentials)).then_some(credentials.pid)
}

/// The name under which the system lists this process.
pub(crate) fn process_name() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned()
}

/// Sets the name under which the system lists this process; it keeps the first 15 bytes.
pub(crate) fn set_process_name(name: &str) {
    if let Ok(name) = std::ffi::CString::new(name) {
        // A name is for people: a system that refuses it is no reason to fail.
        let _ = rustix::thread::set_name(&name);
    }
}
