//! How this process ends.

#![allow(unsafe_code)]

/// Has `handler` called when this process exits, be it by returning from `main`. A copy of this process inherits that.
/// `false` if the system refuses, or if here nothing may be left to do when a process exits.
pub(crate) fn at_exit(handler: extern "C" fn()) -> bool {
    // SAFETY: atexit(3) keeps the pointer, which is that of a function that lives as long as the code that it is in.
    unsafe { libc::atexit(handler) == 0 }
}

/// How many threads this process has, if the system can tell.
pub(crate) fn thread_count() -> Option<u64> {
    // Each is a directory, and has its link to this one, besides this one's own two.
    let links = rustix::fs::stat("/proc/self/task").ok()?.st_nlink;
    #[allow(clippy::useless_conversion)] // Its type is not the same on all processors.
    u64::from(links).checked_sub(2).filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_err());
        // The test harness may have more.
        assert!(thread_count().unwrap() >= 2);
        drop(stop);
        assert!(other.join().unwrap());
    }
}
