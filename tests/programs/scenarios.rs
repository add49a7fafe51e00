//! Programs that do something to themselves that a test binary, with other tests in it, cannot: one for each name that
//! is given as the first argument. Each panics if what it is about does not hold; what it prints is for the test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use spawnsafe::{ErrorKind, Stdio, child_entry, process_main};
use spawnsafe_tests::{children_of, is_abort, open_descriptors, zygotes};

#[cfg(target_os = "linux")]
#[path = "scenarios/spares.rs"]
mod spares;
#[cfg(unix)]
#[path = "scenarios/posix.rs"]
mod system;
#[cfg(windows)]
#[path = "scenarios/windows.rs"]
mod system;

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

/// As if `main` were a function like any other.
#[child_entry]
#[allow(clippy::main_recursion)]
fn calls_main() {
    main();
}

/// Leaves an exit handler behind that takes its time, as that of a C library may, and then marks the file; for ever if
/// there is none. Returns its process.
#[child_entry]
fn exits_late(mark: Option<PathBuf>) -> u32 {
    #[spawnsafe::process_local]
    static MARK: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn late() {
        match MARK.get() {
            Some(mark) => {
                std::thread::sleep(Duration::from_millis(200));
                std::fs::write(mark, "done").unwrap();
            }
            None => std::thread::sleep(Duration::from_secs(600)),
        }
    }
    if let Some(mark) = mark {
        MARK.set(mark).unwrap();
    }
    system::at_exit(late);
    std::process::id()
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
        "args-and-env" => assert_eq!(args_and_env::run().unwrap(), args_and_env()),
        "nested" => nests(),
        "flood" => flood(),
        "returns-early" => drop(exits_late::run(Some(rest[0].clone().into())).unwrap()),
        "exits-early" => {
            exits_late::run(Some(rest[0].clone().into())).unwrap();
            std::process::exit(0)
        }
        "leaves-an-exiting-child" => leaves_an_exiting_child(),
        "main-again" => main_again(),
        "spawn" => println!("{:?}", adds::run(1, 2).map_err(|error| error.to_string())),
        "aborting-panic" => aborting_panic(),
        "aborting-race" => aborting_race(),
        "sleep" => std::thread::sleep(Duration::from_secs(rest[0].parse().unwrap())),
        #[cfg(target_os = "linux")]
        name if name.starts_with("spares") => spares::run(name, &rest),
        name => system::run(name, &rest),
    }
}

/// What `main` has marked must be one line, whatever its children did.
fn all_kinds_of_ends() {
    assert_eq!(adds::run(1, 2).unwrap(), 3);
    assert_eq!(exits::run(0).unwrap_err().kind(), ErrorKind::Exited);
    let error = panics::call("x".into()).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    let error = overflows_the_stack::call(0).stderr(Stdio::null()).run().unwrap_err();
    system::is_overflow(error.exit_status().unwrap());
    nests();
}

fn leaks() {
    const THREADS: usize = 4;
    // A start takes longer under Wine.
    const EACH: usize = if cfg!(windows) { 50 } else { 250 };
    // The first spawn may open what the program then keeps.
    descriptors::run().unwrap();
    let (before, expected) = (settled(), system::Expected::new());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let expected = expected.clone();
            std::thread::spawn(move || (0..EACH).for_each(|_| expected.check(descriptors::run().unwrap())))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    comes_to(&before);
}

/// The descriptors of this process when the last child is gone: `run` does not wait for that, and the thread that watches
/// lets go of a child a moment after it has ended.
fn settled() -> BTreeMap<u32, String> {
    spawnsafe_tests::settled(|descriptors| {
        let watched = descriptors.values().filter(|target| system::is_watched(target)).count();
        watched == zygotes() && children_of(std::process::id()).len() == zygotes()
    })
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
    fail();
    let before = settled();
    (0..20).for_each(|_| fail());
    comes_to(&before);
}

fn comes_to(before: &BTreeMap<u32, String>) {
    spawnsafe_tests::comes_to(before, settled);
}

/// Prints the children's ids and waits to be killed.
fn orphans() {
    let children: Vec<_> = std::thread::spawn(|| {
        let (a, b) = (spins::spawn().unwrap(), sleeps::spawn().unwrap());
        // A stopped process does not run any code of ours that could notice the parent's end.
        let stopped = sleeps::spawn().unwrap();
        system::stop(stopped.id());
        vec![a, b, stopped]
    })
    .join()
    .unwrap();
    println!("{}", children.iter().map(|child| child.id().to_string()).collect::<Vec<_>>().join(" "));
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Prints the id of a child that has answered and does not exit, and waits to be killed.
fn leaves_an_exiting_child() {
    println!("{}", exits_late::run(None).unwrap());
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Detaches a child that ends when the file exists, prints its id, and ends.
fn detached(path: &Path) {
    let child = waits_for::call(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    println!("{}", child.id());
    child.detach().unwrap();
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

/// An entry that calls `main` does not run it, and does not wait for ever.
fn main_again() {
    let error = calls_main::call().stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    assert!(error.panic().unwrap().message().contains("never runs in a child process"), "{error}");
}

/// Only sensible if the program was built with `panic = "abort"`.
fn aborting_panic() {
    let error = panics::call("for ever".into()).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
    assert_eq!(error.panic().unwrap().message(), "for ever");
    assert_eq!(error.panic().unwrap().file(), Some(file!()));
    assert!(is_abort(error.exit_status().unwrap()), "the process did abort");
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
