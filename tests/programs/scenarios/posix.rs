//! Scenarios with signals, limits, users and files that change while they are run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spawnsafe::{ErrorKind, ExitStatus, Stdio};
use spawnsafe_tests::{inheritable_descriptors, open_descriptors, zygotes};

use super::{adds, comes_to, exits, floods, nested, settled, sleeps};

pub(super) fn run(name: &str, rest: &[String]) {
    match name {
        "sigchld-ignored" => sigchld_ignored(),
        "reaps-everything" => reaps_everything(),
        "out-of-descriptors" => out_of_descriptors(),
        "out-of-processes" => out_of_processes(),
        "room-for-one-child" => room_for_one_child(),
        "not-executable" => not_executable(),
        "replaced" => replaced(Path::new(&rest[0])),
        "deleted" => deleted(),
        "closed-streams" => closed_streams(),
        "drops-privileges" => drops_privileges(),
        name => panic!("there is no scenario {name}"),
    }
}

#[allow(unsafe_code)]
pub(super) fn stop(id: u32) {
    // Before that it holds the lifelines of all, its own as well.
    spawnsafe_tests::eventually("it has executed", || spawnsafe_tests::has_executed(id).then_some(()));
    // SAFETY: kill(2) has no preconditions.
    unsafe { libc::kill(id as i32, libc::SIGSTOP) };
}

#[allow(unsafe_code)]
pub(super) fn at_exit(handler: extern "C" fn()) {
    // SAFETY: the function may be called when the process exits.
    assert_eq!(unsafe { libc::atexit(handler) }, 0);
}

/// Std's handler prints a message and aborts.
pub(super) fn is_overflow(status: ExitStatus) {
    assert_eq!(status.signal(), Some(libc::SIGABRT));
}

/// Whether it is something by which a process is watched.
pub(super) fn is_watched(descriptor: &str) -> bool {
    descriptor.contains("pidfd")
}

/// What any child has.
#[derive(Clone)]
pub(super) struct Expected {
    inherited: BTreeMap<u32, String>,
}

impl Expected {
    pub(super) fn new() -> Self {
        // Those without CLOEXEC are not passed on by a zygote.
        let mut inherited = inheritable_descriptors();
        inherited.retain(|&number, _| number <= 2 || zygotes() == 0);
        Self { inherited }
    }

    pub(super) fn check(&self, mut seen: BTreeMap<u32, String>) {
        seen.retain(|number, _| !self.inherited.contains_key(number));
        assert_eq!(seen.len(), 2, "a connection and a lifeline, no more: {seen:?}");
    }
}

fn sigchld_ignored() {
    #[allow(unsafe_code)]
    // SAFETY: signal(2) with SIG_IGN installs no function.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_IGN)
    };
    for i in 0..20 {
        assert_eq!(adds::run(i, 1).unwrap(), i + 1);
        let error = exits::run(3).unwrap_err();
        match error.exit_status() {
            Some(status) => assert_eq!((error.kind(), status.code()), (ErrorKind::Exited, Some(3))),
            None => assert_eq!(error.kind(), ErrorKind::Closed),
        }
    }
    // The child itself does not ignore it.
    assert_eq!(nested::run(2).unwrap().unwrap().len(), 3);
}

fn reaps_everything() {
    std::thread::spawn(|| {
        loop {
            #[allow(unsafe_code)]
            // SAFETY: waitpid(2) may be given no place for the status.
            let reaped = unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
            if reaped < 0 {
                std::thread::yield_now();
            }
        }
    });
    for i in 0..50 {
        assert_eq!(adds::run(i, 1).unwrap(), i + 1);
        let error = exits::run(3).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Exited | ErrorKind::Closed), "{error}");
    }
}

#[allow(unsafe_code)]
pub(super) fn set_limit(resource: libc::__rlimit_resource_t, limit: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit(2) writes to the place that it is given.
    unsafe { libc::getrlimit(resource, &raw mut old) };
    let limit = libc::rlimit { rlim_max: old.rlim_max, ..limit };
    // SAFETY: setrlimit(2) reads from the place that it is given.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}

/// At every number of free descriptors, a spawn works or is an error that leaks none.
fn out_of_descriptors() {
    adds::run(1, 1).unwrap();
    settled();
    // The numbers above are free, unless whoever started this program has left some open.
    let lowest = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as libc::rlim_t;
    let mut failures = 0;
    for free in 0..12 {
        let before = settled();
        set_limit(libc::RLIMIT_NOFILE, lowest + free);
        let call = adds::call(1, 2).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let result = call.run();
        set_limit(libc::RLIMIT_NOFILE, 512);
        match result {
            Ok(sum) => assert_eq!(sum, 3),
            Err(error) => {
                failures += 1;
                // The limit is inherited: a child may lack one as well, say for its own streams.
                assert!(matches!(error.kind(), ErrorKind::Spawn | ErrorKind::Exited), "{error}");
                assert!(!error.to_string().is_empty());
            }
        }
        if zygotes() == 0 {
            comes_to(&before);
        } else {
            // The zygote that had the old limit has made room for another one.
            adds::run(1, 1).unwrap();
            assert_eq!(settled().len(), before.len(), "with {free} free");
        }
    }
    assert!(failures > 0, "the limit was never reached");
}

/// The limit of processes does not hold for root, and counts all of the user's: becomes a user that has no other.
#[allow(unsafe_code)]
fn become_a_user_without_processes(id: libc::uid_t) -> bool {
    // SAFETY: geteuid(2) has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return false;
    }
    // SAFETY: setuid(2) has no preconditions.
    assert_eq!(unsafe { libc::setuid(id) }, 0);
    true
}

/// A child that is still exiting takes up the only room: the next one waits for it.
fn room_for_one_child() {
    // The zygote of an earlier program has ended with that, and is still a process of its user until the system's first process
    // has reaped it, which may take its time.
    let user = if zygotes() == 0 { 48_754 } else { 100_000 + std::process::id() };
    if !become_a_user_without_processes(user) {
        return println!("left out: only root can become a user without processes");
    }
    adds::run(1, 1).unwrap();
    settled();
    // Threads count: this one and the one that watches.
    set_limit(libc::RLIMIT_NPROC, 3 + zygotes() as libc::rlim_t);
    for i in 0..50 {
        assert_eq!(adds::run(i, 1).unwrap(), i + 1);
    }
}

fn out_of_processes() {
    become_a_user_without_processes(48_751);
    set_limit(libc::RLIMIT_NPROC, 1);
    let before = open_descriptors();
    let error = adds::run(1, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    println!("{error}");
    assert_eq!(open_descriptors(), before);
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn not_executable() {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::set_permissions(this_program(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = adds::run(1, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    println!("{error}");
}

fn replaced(other: &Path) {
    std::fs::rename(other, this_program()).unwrap();
    assert_eq!(adds::run(1, 2).unwrap(), 3);
}

fn deleted() {
    std::fs::remove_file(this_program()).unwrap();
    assert_eq!(adds::run(1, 2).unwrap(), 3);
}

/// Without standard streams the next files get their numbers.
fn closed_streams() {
    for stream in 0..3 {
        #[allow(unsafe_code)]
        // SAFETY: nothing in this program uses the standard streams after this, but what fails without them.
        unsafe {
            libc::close(stream)
        };
    }
    assert_eq!(adds::run(1, 2).unwrap(), 3);
    let mut child = floods::call(1 << 16, vec![1]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
    assert_eq!(printed.len(), 1 << 16);
    assert_eq!(child.join().unwrap(), 1);
    std::process::exit(33);
}

/// As root: starts children, becomes somebody else, and is still their master.
fn drops_privileges() {
    let child = sleeps::call().timeout(Duration::from_millis(300)).spawn().unwrap();
    let other = sleeps::spawn().unwrap();
    #[allow(unsafe_code)]
    // SAFETY: setresuid(2) has no preconditions.
    let done = unsafe { libc::setresuid(48_753, 48_753, 48_753) };
    assert_eq!(done, 0);
    let mut killed = other;
    killed.kill().unwrap();
    assert_eq!(killed.join().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(child.join().unwrap_err().kind(), ErrorKind::TimedOut);
}
