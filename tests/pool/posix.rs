//! Faults that only POSIX knows: processes that are stopped or copied, and descriptors that anybody can close.

use std::path::Path;
use std::time::Duration;

use spawnsafe::{ErrorKind, child_entry};
use spawnsafe_tests::KillAll;

use super::{begins_and_waits, pool, square, works, works_within_its_limit, written_id};

#[allow(unsafe_code)]
fn stop(process: u32) {
    // SAFETY: kill(2) has no preconditions. The process is a worker of a pool of the test, which has not ended.
    unsafe { libc::kill(process as i32, libc::SIGSTOP) };
}

#[test]
fn a_worker_that_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let pool = pool().task_timeout(Duration::from_millis(300)).build().unwrap();
    works_within_its_limit(&pool);
    let task = pool.submit(begins_and_waits::call(&begun, &dir.path().join("never"))).unwrap();
    stop(written_id(&begun));
    assert_eq!(task.join().unwrap_err().kind(), ErrorKind::TimedOut);
    works_within_its_limit(&pool);
    // Stopped while it has nothing to do: it never begins what it is given, and others run that.
    pool.process_ids().into_iter().for_each(stop);
    works_within_its_limit(&pool);
}

/// Writes nonsense to every descriptor, or closes every one.
#[child_entry]
fn ruins_descriptors(closes: bool, waits: bool) -> u8 {
    for fd in 3..1024 {
        #[allow(unsafe_code)]
        if closes {
            // SAFETY: the process is a worker that is to be ruined: closing what others own is what is tested.
            unsafe { libc::close(fd) };
        } else {
            // SAFETY: as above; write(2) reads the text.
            unsafe { libc::write(fd, c"garbage, and more of it".as_ptr().cast(), 23) };
        }
    }
    if waits {
        std::thread::sleep(Duration::from_secs(600));
    }
    1
}

#[test]
fn a_task_that_writes_to_every_descriptor() {
    let pool = pool().build().unwrap();
    let task = pool.submit(ruins_descriptors::call(false, true)).unwrap();
    let others: Vec<_> = (0..50).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    let error = task.join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Protocol, Some(ruins_descriptors::NAME)), "{error}");
    assert!(others.into_iter().zip(0..).all(|(task, x)| task.join().unwrap() == x * x));
    works(&pool);
}

#[test]
fn a_task_that_closes_every_descriptor() {
    let pool = pool().build().unwrap();
    let error = pool.submit(ruins_descriptors::call(true, true)).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Closed, Some(ruins_descriptors::NAME)), "{error}");
    works(&pool);
    // Its answer needs no descriptor.
    assert_eq!(pool.submit(ruins_descriptors::call(true, false)).unwrap().join().unwrap(), 1);
    works(&pool);
}

/// Leaves a process behind that has all descriptors of the worker, and ends.
#[child_entry]
fn leaves_a_copy(path: &Path) -> u8 {
    #[allow(unsafe_code)]
    // SAFETY: the copy only sleeps, which is allowed after fork(2) in any program.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        // For longer than any test.
        std::thread::sleep(Duration::from_secs(3600));
    }
    std::fs::write(path, copy.to_string()).unwrap();
    std::process::abort()
}

#[test]
fn a_grandchild_that_holds_the_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy");
    let pool = pool().build().unwrap();
    let error = pool.submit(leaves_a_copy::call(&path)).unwrap().join().unwrap_err();
    let copy = KillAll(vec![written_id(&path)]);
    assert_eq!(error.kind(), ErrorKind::Signaled);
    works(&pool);
    drop(copy);
}
