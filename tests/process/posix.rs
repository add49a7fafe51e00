//! What only a POSIX system has: signals, `fork`, descriptors as small numbers, `/proc`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use spawnsafe::{ErrorKind, Stdio, child_entry};
use spawnsafe_tests::{eventually, is_gone, is_running, state};

use super::ends::kind_of;
use super::handle::echoing;

#[child_entry]
fn raises(signal: i32) -> u32 {
    #[allow(unsafe_code)]
    // SAFETY: raise(3) has no preconditions.
    unsafe {
        libc::raise(signal)
    };
    0
}

#[test]
fn a_signal() {
    for (signal, name) in [(libc::SIGKILL, "SIGKILL"), (libc::SIGTERM, "SIGTERM"), (libc::SIGSEGV, "SIGSEGV")] {
        let error = raises::call(signal).stderr(Stdio::null()).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Signaled);
        assert_eq!(error.exit_status().unwrap().signal(), Some(signal));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[child_entry]
fn overflows_the_stack(depth: u64) -> u64 {
    spawnsafe_tests::overflow_the_stack(depth)
}

#[test]
fn a_stack_overflow() {
    assert_eq!(kind_of(overflows_the_stack::call(0).stderr(Stdio::null()).run()), ErrorKind::Signaled);
}

#[child_entry]
fn closes_everything() -> u32 {
    for descriptor in 0..1024 {
        #[allow(unsafe_code)]
        // SAFETY: nothing else in this process uses the descriptors any more; that the library does is the point.
        unsafe {
            libc::close(descriptor)
        };
    }
    7
}

#[test]
fn a_child_that_closes_all_descriptors() {
    let error = closes_everything::run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited);
    assert!(error.to_string().contains("descriptors that are not its own"), "{error}");
}

#[child_entry]
fn puts_a_file_in_the_place_of_the_connection(path: &Path) -> u32 {
    use std::os::fd::AsRawFd as _;

    let file = std::fs::File::create(path).unwrap();
    for (number, target) in spawnsafe_tests::open_descriptors() {
        if target.starts_with("socket:") {
            #[allow(unsafe_code)]
            // SAFETY: dup2(2) has no preconditions on memory.
            unsafe {
                libc::dup2(file.as_raw_fd(), number as i32)
            };
        }
    }
    7
}

#[test]
fn a_result_never_ends_up_in_a_file_of_the_entry() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = puts_a_file_in_the_place_of_the_connection::call(file.path()).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited);
    assert_eq!(std::fs::read(file.path()).unwrap(), b"");
}

#[child_entry]
#[allow(unsafe_code, clippy::zombie_processes)]
fn leaves_a_grandchild(seconds: u32) -> u32 {
    use std::os::unix::process::CommandExt as _;
    use std::process::Stdio as StdStdio;

    // Those that are open now: the connection and the lifeline. `Command` is going to open some of its own.
    let inherited: Vec<i32> = spawnsafe_tests::open_descriptors()
        .into_keys()
        .filter(|&number| number > 2)
        .map(|number| number as i32)
        .collect();
    let let_through = move || {
        for &descriptor in &inherited {
            // SAFETY: fcntl(2) with F_SETFD touches no memory.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
        }
        Ok(())
    };
    let mut command = std::process::Command::new("sleep");
    // Who runs the tests waits for those to close.
    command.stdin(StdStdio::null()).stdout(StdStdio::null()).stderr(StdStdio::null());
    // SAFETY: between fork and exec the closure only calls fcntl(2), which is async-signal-safe.
    unsafe { command.arg(seconds.to_string()).pre_exec(let_through) };
    // Not waited for: that it lives on is the point.
    let grandchild = command.spawn().unwrap();
    if seconds % 2 == 1 {
        std::process::exit(3);
    }
    grandchild.id()
}

#[test]
fn a_grandchild_that_keeps_the_connection_open() {
    let mut grandchildren = spawnsafe_tests::KillAll::default();
    let id = leaves_a_grandchild::run(600).unwrap();
    grandchildren.0.push(id);
    assert!(is_running(id), "it outlives the child, so joining did not wait for it");
}

#[test]
fn a_grandchild_that_keeps_the_connection_open_when_the_child_has_no_answer() {
    // Its id cannot be told, so it ends by itself.
    assert_eq!(kind_of(leaves_a_grandchild::run(5)), ErrorKind::Exited);
}

/// The copy comes to the end of the entry first.
#[child_entry]
#[allow(unsafe_code)]
fn forks() -> u32 {
    // SAFETY: this process has one thread, so its copy may do whatever it could.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        return 111;
    }
    // SAFETY: waitpid(2) may be given no place for the status.
    unsafe { libc::waitpid(copy, std::ptr::null_mut(), 0) };
    222
}

#[test]
fn a_forked_copy_of_a_child_does_not_answer_for_it() {
    assert_eq!(forks::call().stderr(Stdio::null()).run().unwrap(), 222);
}

#[test]
fn drop_of_a_stopped_child() {
    let child = echoing();
    let id = child.id();
    #[allow(unsafe_code)]
    // SAFETY: kill(2) has no preconditions.
    unsafe {
        libc::kill(id as i32, libc::SIGSTOP)
    };
    eventually("the child is stopped", || (state(id) == Some('T')).then_some(()));
    drop(child);
    assert!(is_gone(id));
}

/// Its exit handler returns when there is such a file.
#[child_entry]
fn exits_slowly(until: &Path) -> u32 {
    #[spawnsafe::process_local]
    static UNTIL: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    extern "C" fn slow() {
        while !UNTIL.get().unwrap().exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    UNTIL.set(until.to_owned()).unwrap();
    #[allow(unsafe_code)]
    // SAFETY: the function may be called at exit.
    unsafe {
        libc::atexit(slow)
    };
    std::process::id()
}

#[test]
fn an_exit_handler_that_hangs_does_not_hold_the_answer_back() {
    let never = Path::new("/nonexistent");
    let start = Instant::now();
    let id = exits_slowly::spawn(never).unwrap().join().unwrap();
    assert!(start.elapsed() < spawnsafe_tests::DEADLINE);
    assert!(is_gone(id));
    let id = exits_slowly::run(never).unwrap();
    eventually("it is killed and reaped", || is_gone(id).then_some(()));
}

#[test]
fn run_returns_at_the_answer_and_its_process_is_reaped_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let until = dir.path().join("until");
    let id = exits_slowly::run(&until).unwrap();
    assert!(is_running(id));
    // Long enough for it to be looked at, and left, more than once.
    std::thread::sleep(Duration::from_millis(30));
    assert!(is_running(id));
    std::fs::write(&until, "").unwrap();
    eventually("it ends and is reaped, although nothing else is started", || is_gone(id).then_some(()));
    let id = super::process_id::run().unwrap();
    eventually("and so is one that exits at once", || is_gone(id).then_some(()));
}

#[child_entry]
fn prints_with_a_thread_that_locks(text: &str, locks: bool) -> u32 {
    print!("{text}");
    if locks {
        let (tell, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _locked = std::io::stdout().lock();
            tell.send(()).unwrap();
            std::thread::sleep(Duration::from_secs(600));
        });
        wait.recv().unwrap();
    } else {
        std::thread::spawn(|| std::thread::sleep(Duration::from_secs(600)));
    }
    7
}

#[test]
fn what_was_printed_is_out_when_run_returns() {
    // Not a whole line, which would be written at once.
    let file = tempfile::NamedTempFile::new().unwrap();
    let printed = || std::fs::read_to_string(file.path()).unwrap();
    let call = |call: spawnsafe::Call<u32>| call.stdout(file.reopen().unwrap()).run().unwrap();
    call(super::surroundings::prints::call("one"));
    assert_eq!(printed(), "one");
    call(prints_with_a_thread_that_locks::call("two", false));
    assert_eq!(printed(), "two");
}

#[test]
fn a_thread_that_keeps_standard_output_locked_does_not_keep_the_answer_back() {
    assert_eq!(prints_with_a_thread_that_locks::call("x", true).stdout(Stdio::null()).run().unwrap(), 7);
}

#[child_entry]
fn process_name() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap().trim_end().to_owned()
}

#[test]
fn the_name_of_the_process() {
    assert_eq!(process_name::call().name("worker 7").run().unwrap(), "worker 7");
    assert_eq!(process_name::call().name("longer than the system keeps").run().unwrap(), "longer than the");
    // The thread's name in a test is the test's; the program's is the main thread's.
    assert_eq!(process_name::run().unwrap(), process_name());
}

#[child_entry]
fn descriptors() -> BTreeMap<u32, String> {
    spawnsafe_tests::open_descriptors()
}

#[test]
fn a_child_has_no_descriptor_but_its_own() {
    let _open = std::fs::File::open("/dev/null").unwrap();
    let mut descriptors = descriptors::call().run().unwrap();
    for (number, target) in spawnsafe_tests::inheritable_descriptors() {
        // Whoever started the tests may have left some open. A zygote does not pass them on.
        let expected = (number <= 2 || spawnsafe_tests::zygotes() == 0).then_some(target);
        assert_eq!(descriptors.remove(&number), expected);
    }
    let mut kinds: Vec<_> = descriptors.values().map(|target| target.split_once(":[").unwrap().0).collect();
    kinds.sort_unstable();
    // With the queue of macOS connections have its anchors as well, which are sockets.
    let expected = if cfg!(spawnsafe_datagram_queue) { &["pipe", "socket", "socket"][..] } else { &["pipe", "socket"] };
    assert_eq!(kinds, expected, "{descriptors:?}");
}

#[child_entry]
fn signals() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let mask = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap()
    };
    (mask("SigBlk:"), mask("SigIgn:"))
}

#[test]
fn no_signal_is_blocked_in_a_child() {
    let blocked = std::thread::spawn(|| {
        block_all_signals();
        (signals().0, signals::run().unwrap().0)
    });
    let (here, in_child) = blocked.join().unwrap();
    assert_ne!(here, 0);
    assert_eq!(in_child, 0);
}

/// For this thread, which must end soon.
#[allow(unsafe_code)]
fn block_all_signals() {
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: sigfillset(3) initializes the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set is initialized; the old mask need not be returned.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
}
