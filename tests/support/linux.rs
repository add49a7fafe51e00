//! Processes and descriptors as Linux shows them in `/proc`.

use std::collections::BTreeMap;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd as _;

use spawnsafe::ExitStatus;

/// Whether this is Wine, which lacks some of what Windows does: never here.
#[must_use]
pub fn is_wine() -> bool {
    false
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

/// How many threads this process has.
///
/// # Panics
/// If the system does not list them.
#[must_use]
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("/proc is mounted").count()
}

/// How many pieces of memory this process shares with others by this library.
///
/// # Panics
/// If the system does not list them.
#[must_use]
pub fn shared_segments() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    maps.lines().filter(|line| line.contains("spawnsafe")).filter(|line| line.contains("memfd")).count()
}

/// How many bytes of this process are in memory.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second field is a number") * 4096
}

/// Whether a child of a process that is none itself has executed its program: before that it is a copy of the other, and has open
/// what that has. A start returns when it has; but under qemu, which makes a `fork` of each `vfork`.
#[must_use]
pub fn has_executed(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|variables| variables.split(|&byte| byte == 0).any(|one| one.starts_with(b"SPAWNSAFE_CHILD=")))
}

/// Whether a process has ended and is no zombie any more.
#[must_use]
pub fn is_gone(pid: u32) -> bool {
    state(pid).is_none()
}

/// Whether a process that ended so has called `abort`.
#[must_use]
pub fn is_abort(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGABRT)
}

/// Whether a process that ended so was killed by this library.
#[must_use]
pub fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// Kills a process that the test has started, not as its parent.
#[allow(unsafe_code)]
pub fn kill(pid: u32) {
    // SAFETY: kill(2) has no preconditions.
    unsafe { libc::kill(pid as i32, libc::SIGKILL) };
}

#[allow(unsafe_code)]
pub(crate) fn child_connection() -> Option<ManuallyDrop<File>> {
    let descriptors = open_descriptors();
    let (&number, _) = descriptors.iter().find(|(_, target)| target.starts_with("socket:"))?;
    // SAFETY: the descriptor is open, and is not closed by what is made of it here.
    Some(ManuallyDrop::new(unsafe { File::from_raw_fd(number as i32) }))
}
