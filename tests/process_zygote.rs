//! All tests of `process`, with children that are forked by a zygote, and what such children have to prove besides.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};

use spawnsafe::{StartMethod, child_entry};

spawnsafe_tests::with_zygotes!();

#[path = "process/main.rs"]
mod process;

/// Where a function, a value on the stack and one on the heap are: elsewhere in each program that is executed.
#[child_entry]
fn addresses() -> (usize, usize, usize) {
    let heap = Box::new(0_u8);
    (addresses as fn() -> (usize, usize, usize) as usize, (&raw const heap).addr(), (&raw const *heap).addr())
}

#[test]
fn children_are_forked_and_no_executed_ones() {
    let (first, second) = (addresses::run().unwrap(), addresses::run().unwrap());
    assert_eq!(first, second);
    // Unless the system lays out all programs alike.
    let executed = || addresses::call().start_method(StartMethod::Exec).run().unwrap();
    assert!(executed() == executed() || executed() != first);
}

#[child_entry]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

#[test]
fn children_are_those_of_the_process_that_wants_them() {
    assert_eq!(parent::run().unwrap(), std::process::id());
}

#[child_entry]
fn random_number() -> u64 {
    RandomState::new().hash_one(0)
}

#[test]
fn children_do_not_have_the_same_random_numbers() {
    let numbers: BTreeSet<u64> = (0..8).map(|_| random_number::run().unwrap()).collect();
    assert_eq!(numbers.len(), 8);
}

/// Asks the C library things for which it uses the id of the main thread that it keeps.
#[child_entry]
#[allow(unsafe_code)]
fn thread_of_the_c_library() -> (i32, i32, bool) {
    let mut clock = 0;
    // SAFETY: pthread_self(3) has no preconditions.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: this thread lives; the call writes to the variable.
    let has_clock = unsafe { libc::pthread_getcpuclockid(this, &raw mut clock) };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime(2) writes to the variable.
    let tells = unsafe { libc::clock_gettime(clock, &raw mut time) };
    // A lock of which the kernel knows the owner by that id.
    let mut attributes = std::mem::MaybeUninit::uninit();
    // SAFETY: it initializes the object.
    unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) };
    // SAFETY: the object is initialized.
    unsafe { libc::pthread_mutexattr_setprotocol(attributes.as_mut_ptr(), libc::PTHREAD_PRIO_INHERIT) };
    let lock: &'static mut std::mem::MaybeUninit<libc::pthread_mutex_t> =
        Box::leak(Box::new(std::mem::MaybeUninit::uninit()));
    let lock = lock.as_mut_ptr().expose_provenance();
    let at = move || std::ptr::with_exposed_provenance_mut::<libc::pthread_mutex_t>(lock);
    // SAFETY: the memory is there for ever, and not yet a lock.
    unsafe { libc::pthread_mutex_init(at(), attributes.as_ptr()) };
    // SAFETY: it is a lock, as in all that follows.
    unsafe { libc::pthread_mutex_lock(at()) };
    let (begun, begins) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        begun.send(()).unwrap();
        // SAFETY: as above.
        let locked = unsafe { libc::pthread_mutex_lock(at()) };
        // SAFETY: as above.
        locked == 0 && unsafe { libc::pthread_mutex_unlock(at()) } == 0
    });
    begins.recv().unwrap();
    // Likely to be asleep by then; right in any case.
    std::thread::sleep(std::time::Duration::from_millis(20));
    // SAFETY: as above; this thread has locked it.
    let unlocked = unsafe { libc::pthread_mutex_unlock(at()) };
    (has_clock | tells, unlocked, other.join().unwrap())
}

#[test]
fn the_c_library_knows_its_main_thread() {
    assert_eq!(thread_of_the_c_library::run().unwrap(), (0, 0, true));
}

/// A child that is forked has zygotes of its own.
#[child_entry]
fn nests(depth: u32) -> Vec<(u32, u32)> {
    let mut ids = if depth == 0 { Vec::new() } else { nests::run(depth - 1).unwrap() };
    ids.push((std::process::id(), std::os::unix::process::parent_id()));
    ids
}

#[test]
fn children_of_children_of_a_zygote() {
    let ids = nests::run(3).unwrap();
    assert!(ids.windows(2).all(|pair| pair[0].1 == pair[1].0), "{ids:?}");
    assert_eq!(ids[3].1, std::process::id());
}
