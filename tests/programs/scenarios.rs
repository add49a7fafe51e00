//! Programs that do something to themselves that a test binary, with other tests in it, cannot: one for each name that
//! is given as the first argument. Each panics if what it is about does not hold; what it prints is for the test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spawnsafe::{ErrorKind, Stdio, child_entry, process_main};
use spawnsafe_tests::{children_of, inheritable_descriptors, open_descriptors};

#[child_entry]
fn adds(a: u32, b: u32) -> u32 {
    a + b
}

#[child_entry]
fn descriptors() -> BTreeMap<u32, String> {
    open_descriptors()
}

#[child_entry]
fn exits(code: i32) {
    std::process::exit(code)
}

/// Never ends; says nothing, as nobody might read it.
#[child_entry]
fn spins() {
    loop {
        std::hint::spin_loop();
    }
}

#[child_entry]
fn sleeps() {
    loop {
        std::thread::sleep(Duration::from_secs(600));
    }
}

#[child_entry]
fn waits_for(path: &Path) -> u32 {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    1
}

#[child_entry]
fn args_and_env() -> (Vec<String>, BTreeMap<String, String>) {
    (std::env::args().collect(), std::env::vars().collect())
}

#[child_entry]
fn nested(depth: u32) -> Result<Vec<u32>, spawnsafe::Error> {
    let mut ids = if depth == 0 { Vec::new() } else { nested::run(depth - 1)?? };
    ids.push(std::process::id());
    Ok(ids)
}

#[child_entry]
fn floods(len: usize, argument: Vec<u8>) -> usize {
    let chunk = vec![b'x'; 1 << 16];
    let mut out = std::io::stdout().lock();
    for _ in 0..len / chunk.len() {
        out.write_all(&chunk).unwrap();
    }
    argument.len()
}

#[child_entry]
fn overflows_the_stack(depth: u64) -> u64 {
    spawnsafe_tests::overflow_the_stack(depth)
}

#[child_entry]
fn panics(message: String) {
    panic!("{message}")
}

#[child_entry]
fn returns_while_another_thread_panics(len: usize) -> Vec<u8> {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(5));
        panic!("meanwhile");
    });
    vec![7; len]
}

#[process_main]
fn main() {
    if let Some(marks) = std::env::var_os("MARK_MAIN") {
        let mut marks = std::fs::File::options().append(true).create(true).open(marks).unwrap();
        marks.write_all(b"main ran\n").unwrap();
    }
    let mut args = std::env::args().skip(1);
    let name = args.next().expect("the name of a scenario");
    let rest: Vec<String> = args.collect();
    match name.as_str() {
        "all-kinds-of-ends" => all_kinds_of_ends(),
        "leaks" => leaks(),
        "leaks-of-failures" => leaks_of_failures(),
        "orphans" => orphans(),
        "detached" => detached(Path::new(&rest[0])),
        "sigchld-ignored" => sigchld_ignored(),
        "reaps-everything" => reaps_everything(),
        "out-of-descriptors" => out_of_descriptors(),
        "out-of-processes" => out_of_processes(),
        "not-executable" => not_executable(),
        "replaced" => replaced(Path::new(&rest[0])),
        "deleted" => deleted(),
        "args-and-env" => assert_eq!(args_and_env::run().unwrap(), args_and_env()),
        "nested" => nests(),
        "flood" => flood(),
        "closed-streams" => closed_streams(),
        "spawn" => println!("{:?}", adds::run(1, 2).map_err(|error| error.to_string())),
        "aborting-panic" => aborting_panic(),
        "aborting-race" => aborting_race(),
        "drops-privileges" => drops_privileges(),
        name => panic!("there is no scenario {name}"),
    }
}

/// What `main` has marked must be one line, whatever its children did.
fn all_kinds_of_ends() {
    assert_eq!(adds::run(1, 2).unwrap(), 3);
    assert_eq!(exits::run(0).unwrap_err().kind(), ErrorKind::Exited);
    let error = panics::call("x".into()).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    let error = overflows_the_stack::call(0).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.exit_status().unwrap().signal(), Some(libc::SIGABRT), "{error}");
    nests();
}

fn leaks() {
    const THREADS: usize = 4;
    const EACH: usize = 250;
    // The first spawn may open what the program then keeps.
    descriptors::run().unwrap();
    let (before, inherited) = (open_descriptors(), inheritable_descriptors());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let inherited = inherited.clone();
            std::thread::spawn(move || {
                for _ in 0..EACH {
                    let mut seen = descriptors::run().unwrap();
                    seen.retain(|number, _| !inherited.contains_key(number));
                    assert_eq!(seen.len(), 2, "a connection and a lifeline, no more: {seen:?}");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(open_descriptors(), before);
    assert_eq!(children_of(std::process::id()), [0; 0]);
}

fn leaks_of_failures() {
    let fail = || {
        assert!(exits::run(1).is_err());
        assert!(panics::call(String::new()).stderr(Stdio::null()).run().is_err());
        assert!(sleeps::call().timeout(Duration::from_millis(5)).run().is_err());
        drop(sleeps::call().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut killed = sleeps::spawn().unwrap();
        killed.kill().unwrap();
        assert!(killed.join().is_err());
        assert!(adds::call(1, 2).env("A=B", "").run().is_err());
        assert!(adds::call(1, 2).current_dir("/nonexistent").run().is_err());
        // With a time limit a thread watches, which keeps a descriptor of its own.
        assert!(sleeps::call().timeout(Duration::from_millis(5)).spawn().unwrap().join().is_err());
    };
    // The thread that watches lets go of a child a moment after it has ended.
    let no_process_is_watched = || {
        let watched = |target: &String| target.contains("pidfd");
        (!open_descriptors().values().any(watched)).then_some(())
    };
    fail();
    spawnsafe_tests::eventually("the first children are let go", no_process_is_watched);
    let before = open_descriptors();
    (0..20).for_each(|_| fail());
    spawnsafe_tests::eventually("the last children are let go", no_process_is_watched);
    assert_eq!(open_descriptors(), before);
    assert_eq!(children_of(std::process::id()), [0; 0]);
}

/// Prints the children's ids and waits to be killed.
fn orphans() {
    let children: Vec<_> = std::thread::spawn(|| {
        let (a, b) = (spins::spawn().unwrap(), sleeps::spawn().unwrap());
        // A stopped process does not run any code of ours that could notice the parent's end.
        let stopped = sleeps::spawn().unwrap();
        #[allow(unsafe_code)]
        // SAFETY: kill(2) has no preconditions.
        unsafe {
            libc::kill(stopped.id() as i32, libc::SIGSTOP)
        };
        vec![a, b, stopped]
    })
    .join()
    .unwrap();
    println!("{}", children.iter().map(|child| child.id().to_string()).collect::<Vec<_>>().join(" "));
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Detaches a child that ends when the file exists, prints its id, and ends.
fn detached(path: &Path) {
    let child = waits_for::call(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    println!("{}", child.id());
    child.detach().unwrap();
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
fn set_limit(resource: libc::__rlimit_resource_t, limit: u64) {
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
    // The numbers above are free, unless whoever started this program has left some open.
    let lowest = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64;
    let mut failures = 0;
    for free in 0..12 {
        let before = open_descriptors();
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
        assert_eq!(open_descriptors(), before, "with {free} free");
        assert_eq!(children_of(std::process::id()), [0; 0]);
    }
    assert!(failures > 0, "the limit was never reached");
}

#[allow(unsafe_code)]
fn out_of_processes() {
    // SAFETY: geteuid(2) has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        // The limit does not hold for root, and counts all processes of the user: become one that has no other.
        // SAFETY: setuid(2) has no preconditions.
        assert_eq!(unsafe { libc::setuid(48_751) }, 0);
    }
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

fn nests() {
    let ids = nested::run(4).unwrap().unwrap();
    assert_eq!(ids.len(), 5);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 5);
}

fn flood() {
    const LEN: usize = 100 << 20;
    let mut child = floods::call(LEN, vec![1; LEN]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let printed = std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(printed, LEN as u64);
    assert_eq!(child.join().unwrap(), LEN);
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

/// Only sensible if the program was built with `panic = "abort"`.
fn aborting_panic() {
    let error = panics::call("for ever".into()).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    assert_eq!(error.panic().unwrap().message(), "for ever");
    assert_eq!(error.panic().unwrap().file(), Some(file!()));
    assert_eq!(error.exit_status().unwrap().signal(), Some(libc::SIGABRT), "the process did abort");
}

/// What arrives is the value, or an error; never a value with something else in it.
fn aborting_race() {
    const LEN: usize = 30 << 20;
    for _ in 0..30 {
        match returns_while_another_thread_panics::call(LEN).stderr(Stdio::null()).run() {
            Ok(value) => assert!(value.len() == LEN && value.iter().all(|&byte| byte == 7)),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Panicked | ErrorKind::Signaled), "{error}"),
        }
    }
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
