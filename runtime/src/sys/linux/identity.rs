//! Who this process is, and who has made its connection.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

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

/// Memory that holds 1 here, and 0 in any copy of this process: asking for the process id would be a system call for each
/// task of a worker. `None` where the system has no such memory (before Linux 4.14).
pub(in crate::sys) fn mark() -> Option<&'static AtomicU32> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address of the system's choice replaces none.
    let page = unsafe { libc::mmap(ptr::null_mut(), size_of::<AtomicU32>(), protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the page was just mapped, and nothing uses it yet.
    if unsafe { libc::madvise(page, size_of::<AtomicU32>(), libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above, and nothing will use it.
        unsafe { libc::munmap(page, size_of::<AtomicU32>()) };
        return None;
    }
    // SAFETY: the page is aligned, zeroed, mapped until the process ends, and reached through this reference only.
    let mark = unsafe { &*page.cast::<AtomicU32>() };
    mark.store(1, Ordering::Relaxed);
    Some(mark)
}
