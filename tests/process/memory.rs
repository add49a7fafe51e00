//! What could keep shared memory from being made, or from being sealed.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use spawnsafe::{Pool, SharedBuf, SharedSlice, child_entry};

#[child_entry]
fn sum(numbers: &SharedSlice<u32>) -> u32 {
    numbers.iter().sum()
}

/// The limit of the size of files holds for memory files as well, and whoever goes beyond gets a signal.
#[child_entry]
fn shares_with_small_files() {
    let hard = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: Some(100), maximum: hard }).unwrap();
    let error = SharedBuf::<u32>::zeroed(26).unwrap_err();
    assert!(error.to_string().contains("`ulimit -f`"), "{error}");
    let shared = SharedSlice::copy_of(&[1_u32; 25]).unwrap();
    assert_eq!(sum::run(&shared).unwrap(), 25);
    // Its answers have to go another way.
    let pool = Pool::builder().workers(1).build().unwrap();
    assert_eq!(pool.submit(sum::call(&shared)).unwrap().join().unwrap(), 25);
}

#[test]
fn the_limit_of_files_is_an_error_and_no_signal() {
    shares_with_small_files::run().unwrap();
}

/// A command that is forked, as `pre_exec` demands: a copy of this process until it executes its program.
fn copy_of_this_process(waits_for: Option<File>) -> Command {
    let mut command = Command::new("true");
    let wait = move || match &waits_for {
        Some(file) => rustix::io::read(file, &mut [0]).map(drop).map_err(Into::into),
        None => Ok(()),
    };
    #[allow(unsafe_code)]
    // SAFETY: it makes one system call at most, which a copy of a process may.
    unsafe {
        command.pre_exec(wait)
    };
    command
}

#[test]
fn a_copy_of_the_process_does_not_keep_memory_from_being_sealed() {
    let mut numbers = SharedBuf::<u32>::zeroed(1000).unwrap();
    numbers[999] = 7;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let copy = thread::spawn(|| copy_of_this_process(Some(read.into())).status().unwrap().success());
    // The copy is there when somebody besides this process can read of the pipe, and so soon as that, or never.
    let pipe = std::os::fd::AsRawFd::as_raw_fd(&write);
    let name = std::fs::read_link(format!("/proc/self/fd/{pipe}")).unwrap();
    spawnsafe_tests::eventually("it is copied", || {
        spawnsafe_tests::children_of(std::process::id()).into_iter().find(|child| {
            let open = std::fs::read_dir(format!("/proc/{child}/fd")).into_iter().flatten().flatten();
            open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|link| link == name)
        })
    });
    let sealed = numbers.seal().unwrap();
    rustix::io::write(&write, b"x").unwrap();
    assert!(copy.join().unwrap());
    assert_eq!(sum::run(&sealed).unwrap(), 7);
}

/// Whichever moment it is copied in.
#[test]
fn copies_of_the_process_that_come_and_go() {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                assert!(copy_of_this_process(None).status().unwrap().success());
            }
        });
        let sealed = (0..2000).try_for_each(|number| SharedSlice::copy_of(&[number; 100]).map(drop));
        is_done.store(true, Ordering::Relaxed);
        sealed.unwrap();
    });
}
