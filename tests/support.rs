//! What the tests share: looking at processes and descriptors from outside, and waiting for facts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

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

/// The state letter that the system shows for a process, or `None` if there is none of that id.
#[must_use]
pub fn state(pid: u32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

/// Whether a process still runs: it exists, and is no zombie.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// All processes, zombies included, whose parent is `pid`.
///
/// # Panics
/// If the system does not list its processes.
#[must_use]
pub fn children_of(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("/proc is mounted");
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&child| stat(child).is_some_and(|(_, parent)| parent == pid)).collect()
}

/// The open descriptors of this process, with what they refer to; without the one that reads the list.
///
/// # Panics
/// If the system does not list them.
#[must_use]
pub fn open_descriptors() -> BTreeMap<u32, String> {
    let list = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let numbers: Vec<u32> = list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let target = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
    numbers.into_iter().filter_map(|number| Some((number, target(number)?.display().to_string()))).collect()
}

/// The descriptors that any program would inherit from this process: above the standard streams, whoever started the
/// tests may have left some open without CLOEXEC.
#[must_use]
pub fn inheritable_descriptors() -> BTreeMap<u32, String> {
    let mut descriptors = open_descriptors();
    descriptors.retain(|&number, _| {
        #[allow(unsafe_code)]
        // SAFETY: fcntl(2) with F_GETFD touches no memory.
        let flags = unsafe { libc::fcntl(number as i32, libc::F_GETFD) };
        flags & libc::FD_CLOEXEC == 0
    });
    descriptors
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
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        for &pid in &self.0 {
            // SAFETY: kill(2) has no preconditions. The ids are those of processes that the test has started.
            unsafe { libc::kill(pid as i32, libc::SIGKILL) };
        }
    }
}

/// Copies a program to where it may be changed, and returns its new path.
///
/// # Panics
/// If it cannot be copied.
#[must_use]
pub fn copy_program(program: &Path, dir: &Path) -> std::path::PathBuf {
    let copy = dir.join("program");
    std::fs::copy(program, &copy).expect("the program can be copied");
    copy
}

/// Recurses until the stack ends.
#[allow(unconditional_recursion)]
#[must_use]
pub fn overflow_the_stack(depth: u64) -> u64 {
    std::hint::black_box([depth; 64])[1] + overflow_the_stack(depth + 1)
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
