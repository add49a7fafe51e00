//! How this process ends.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// Has `handler` called when this process exits, be it by returning from `main`. A copy of this process inherits that.
/// `false` if the system refuses, or if here nothing may be left to do when a process exits.
pub(crate) fn at_exit(handler: extern "C" fn()) -> bool {
    // SAFETY: atexit(3) keeps the pointer, which is that of a function that lives as long as the code that it is in.
    unsafe { libc::atexit(handler) == 0 }
}

/// Where the C library says whether this process has one thread, once that was [looked up](prepare_thread_count).
static SINGLE_THREADED: AtomicPtr<AtomicU8> = AtomicPtr::new(ptr::null_mut());

/// Finds what makes [`thread_count`] cheap in this process, and in copies of it. That takes longer than counting once.
pub(crate) fn prepare_thread_count() {
    // SAFETY: dlsym(3) reads a C string. In a program without a dynamic loader it finds nothing.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
    SINGLE_THREADED.store(found.cast(), Ordering::Release);
}

/// Whether the C library knows of no other thread.
fn is_single_threaded() -> bool {
    let place = ptr::NonNull::new(SINGLE_THREADED.load(Ordering::Acquire));
    // SAFETY: glibc (since 2.32) defines this name as a `char`, in a part of it that is never unloaded. It writes there before
    // it starts a thread, and when there is one again; an atomic load may see either.
    place.is_some_and(|place| unsafe { place.as_ref() }.load(Ordering::Relaxed) != 0)
}

/// How many threads this process has, if the system can tell.
pub(crate) fn thread_count() -> Option<u64> {
    // The first look at what `/proc` has of a process is a tenth of what a start costs.
    if is_single_threaded() {
        return Some(1);
    }
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
        prepare_thread_count();
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_err());
        // The test harness may have more.
        assert!(thread_count().unwrap() >= 2);
        drop(stop);
        assert!(other.join().unwrap());
    }
}
