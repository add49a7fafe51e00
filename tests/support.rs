//! What the tests share: looking at processes and descriptors from outside, and waiting for facts.

#[cfg(feature = "tracing")]
#[path = "support/collects.rs"]
mod collects;
#[cfg(unix)]
#[path = "support/linux.rs"]
mod system;
#[cfg(windows)]
#[path = "support/windows.rs"]
mod system;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(feature = "tracing")]
pub use collects::{Collects, tells_much};
use system::child_connection;
pub use system::*;

/// How long a test waits for something that must happen. Generous, as it ends as soon as the fact is there: only a
/// test that fails takes this long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `fact` gives something.
///
/// # Panics
/// If it has given nothing by the [`DEADLINE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = fact() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The descriptors of this process, when what is open is as `is_quiet` says and the same twice. What belongs to a child is closed
/// one after the other, and a list of descriptors is read one after the other: a single one may lack what tells that there is a
/// child, and have the rest of it.
///
/// # Panics
/// If that is not so by the [`DEADLINE`].
#[must_use]
#[track_caller]
pub fn settled(is_quiet: impl Fn(&BTreeMap<u32, String>) -> bool) -> BTreeMap<u32, String> {
    let mut last = BTreeMap::new();
    eventually("all children are reaped and let go", || {
        let descriptors = open_descriptors();
        let is_same = std::mem::replace(&mut last, descriptors.clone()) == descriptors;
        (is_same && is_quiet(&descriptors)).then_some(descriptors)
    })
}

/// Comes to have no descriptors but those of then. What a thread holds a moment longer is not told from others on every system,
/// and may have been among those.
///
/// # Panics
/// If there are more by the [`DEADLINE`].
#[track_caller]
pub fn comes_to(before: &BTreeMap<u32, String>, settled: impl Fn() -> BTreeMap<u32, String>) {
    let start = Instant::now();
    loop {
        let now = settled();
        let is_more = now.iter().any(|(number, target)| before.get(number) != Some(target));
        if !is_more {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "{now:?} is more than {before:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads until the end.
///
/// # Panics
/// If that fails, or it is no text.
#[must_use]
#[track_caller]
pub fn rest_of(mut from: impl std::io::Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("it can be read");
    text
}

/// Counts what this process has open, which is no more after each round than after the first: that opens some once for all.
#[derive(Debug, Default)]
pub struct OpenInRounds(Option<usize>);

impl OpenInRounds {
    /// Before the first round.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// A round is over; what is given up may be closed a little later.
    ///
    /// # Panics
    /// If more stays open.
    #[track_caller]
    pub fn ends_a_round(&mut self) {
        let count = || open_descriptors().len();
        match self.0 {
            None => {
                self.0 = Some(eventually("it stands still", || {
                    let before = count();
                    std::thread::sleep(Duration::from_millis(300));
                    (count() == before).then_some(before)
                }));
            }
            Some(first) => eventually("all is closed", || (count() <= first).then_some(())),
        }
    }
}

/// Two sockets that are connected.
///
/// # Panics
/// If the system refuses.
#[must_use]
pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let one = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
    // Nobody else knows the port; whoever tries all of them is not answered.
    let here = one.local_addr().expect("it has one");
    loop {
        let (other, peer) = listener.accept().expect("one is there");
        if peer == here {
            return (one, other);
        }
    }
}

/// Ends a process that a failing test would leave behind.
#[derive(Debug)]
pub struct KillOnDrop(pub std::process::Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends processes that are not this one's children, by their ids, when a test fails or is done with them.
#[derive(Debug, Default)]
pub struct KillAll(pub Vec<u32>);

impl Drop for KillAll {
    fn drop(&mut self) {
        // The ids are those of processes that the test has started.
        self.0.iter().for_each(|&pid| kill(pid));
    }
}

/// The connection of this process to its parent, which an entry should not know of. Dropping it closes nothing.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn connection() -> std::mem::ManuallyDrop<std::fs::File> {
    child_connection().expect("this process is a child")
}

/// Copies a program to where it may be changed, and returns its new path.
///
/// # Panics
/// If it cannot be copied.
#[must_use]
pub fn copy_program(program: &Path, dir: &Path) -> std::path::PathBuf {
    let copy = dir.join(format!("program{}", std::env::consts::EXE_SUFFIX));
    std::fs::copy(program, &copy).expect("the program can be copied");
    copy
}

/// Recurses until the stack ends.
#[allow(unconditional_recursion)]
#[must_use]
pub fn overflow_the_stack(depth: u64) -> u64 {
    std::hint::black_box([depth; 64])[1] + overflow_the_stack(depth + 1)
}

/// Has the tests, and the programs that they run, start their children in the way that this variable says, if it is set.
pub const START_METHOD_VARIABLE: &str = "START_METHOD_OF_TESTS";

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
#[used]
// SAFETY: the section holds pointers to functions that the system calls once, on the main thread, before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = use_the_start_method;

/// Has the test binary in which it stands, and the programs that it runs, start their children by zygotes.
#[cfg(target_os = "linux")]
#[macro_export]
macro_rules! with_zygotes {
    () => {
        #[allow(unsafe_code)]
        #[used]
        // SAFETY: the section holds pointers to functions that the system calls once, on the main thread, before `main`.
        #[unsafe(link_section = ".init_array")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn use_zygotes() {
                // SAFETY: no other thread runs yet. Whatever reads the variable runs after this: the linker keeps the order of
                // what it links, and this library comes behind those that depend on it.
                unsafe { std::env::set_var($crate::START_METHOD_VARIABLE, "zygote") };
            }
            use_zygotes
        };
    };
}

/// The tests are run once with each way. Before `main`, as children never get there, and have children as well.
#[cfg(target_os = "linux")]
extern "C" fn use_the_start_method() {
    match std::env::var(START_METHOD_VARIABLE).as_deref() {
        Ok("zygote") => spawnsafe::__private::set_usual_start_method(spawnsafe::StartMethod::Zygote),
        Ok(other) => panic!("{START_METHOD_VARIABLE} is {other}: there is no such method"),
        Err(_) => {}
    }
}

/// How many processes a program has besides its children, for as long as it lives: one zygote, if the tests are run with
/// those and it has started a child.
#[must_use]
pub fn zygotes() -> usize {
    usize::from(std::env::var(START_METHOD_VARIABLE).is_ok_and(|method| method == "zygote"))
}

/// Entries as a library has them.
pub mod entries {
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::OnceLock;

    use spawnsafe::{RemoteError, child_entry, inherit};

    /// A static that travels.
    #[inherit]
    pub static LIBRARY: OnceLock<String> = OnceLock::new();

    /// What it holds.
    #[child_entry]
    pub fn reads_library() -> Option<String> {
        LIBRARY.get().cloned()
    }

    /// The sum.
    #[child_entry]
    pub fn adds(a: u32, b: u32) -> u32 {
        a + b
    }

    /// Panics with a message.
    #[child_entry]
    pub fn panics(message: &str) {
        panic!("{message}");
    }

    /// Appends a line to a file.
    #[child_entry]
    pub fn appends(path: &Path, line: &str) -> Result<(), RemoteError> {
        let mut file = std::fs::File::options().append(true).create(true).open(path)?;
        Ok(writeln!(file, "{line}")?)
    }
}

/// The examples of the README, as doc-tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
