//! Starting the program anew with `posix_spawn`.
//!
//! `posix_spawn` and not `fork`: its cost does not grow with the parent's memory, and nothing of the parent runs in
//! the child. Not `std::process::Command`: it cannot hand over descriptors without `pre_exec`, which makes it fork.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::ptr;

use super::Handover;
use crate::sys::imp::{self, Process, Shared, keep, keep_stream, pipe};
use crate::sys::stdio::StdioKind;
use crate::sys::{CHILD_VARIABLE, Command, Started, Stdio};

/// The parent's ends of the streams that were asked for as pipes.
#[derive(Debug, Default)]
pub(crate) struct Piped {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

/// Starts this program with one end of a connection.
///
/// Every descriptor closes when a program is executed, and is handed over in a way that concerns this child alone: one
/// that another thread starts meanwhile gets none of them. If it fails, it can be tried again.
pub(crate) fn start(command: &mut Command, handover: &Handover) -> io::Result<Started> {
    let moved = moved_above_stdio(&handover.fd)?;
    let connection = moved.as_ref().unwrap_or(&handover.fd);
    let anchor = handover.anchor.as_ref().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3)).transpose()?;
    let (lifeline, held) = pipe()?;
    let lifeline = above_stdio(lifeline)?;

    let mut actions = FileActions::new()?;
    let mut piped = Piped::default();
    let stdin = Source::of(&command.stdin, 0)?;
    let stdout = Source::of(&command.stdout, 1)?;
    let stderr = Source::of(&command.stderr, 2)?;
    for (source, target) in [(&stdin, 0), (&stdout, 1), (&stderr, 2)] {
        match source.fd() {
            Some(fd) => actions.duplicate(fd.as_raw_fd(), target)?,
            None => keep_stream(&mut actions, target)?,
        }
    }
    keep(&mut actions, connection.as_raw_fd())?;
    keep(&mut actions, lifeline.as_raw_fd())?;

    let mut place = format!("{};{};{}", command.token, connection.as_raw_fd(), lifeline.as_raw_fd());
    if let Some(anchor) = &anchor {
        keep(&mut actions, anchor.as_raw_fd())?;
        place = format!("{place};{}", anchor.as_raw_fd());
    }
    let shared = command.shared.as_ref().and_then(Shared::fd);
    // Its number may be that of a standard stream which this process does not have.
    let shared = shared.map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3)).transpose()?;
    if let Some(shared) = &shared {
        keep(&mut actions, shared.as_raw_fd())?;
        place = format!("{place};{}", shared.as_raw_fd());
    }
    let id = posix_spawn(&actions, &arguments(command)?, &environment(command, &place)?)?;
    let process = Process::new(id, held)?;
    process.arm(&lifeline)?;
    piped.stdin = stdin.into_parent_end().map(Into::into);
    piped.stdout = stdout.into_parent_end().map(Into::into);
    piped.stderr = stderr.into_parent_end().map(Into::into);
    let mut shared = command.shared.take();
    shared.iter_mut().for_each(Shared::handed_over);
    Ok(Started { process, piped, shared })
}

/// A file that holds nothing and takes everything.
fn null_handle() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

/// Where a standard stream of the child comes from.
pub(in crate::sys) enum Source<'a> {
    Inherited,
    Borrowed(&'a OwnedFd),
    Moved(OwnedFd),
    Pipe { child: OwnedFd, parent: OwnedFd },
}

impl<'a> Source<'a> {
    pub(in crate::sys) fn of(stdio: &'a Stdio, target: RawFd) -> io::Result<Self> {
        Ok(match stdio.kind() {
            StdioKind::Inherit => Source::Inherited,
            StdioKind::Null => Source::Moved(above_stdio(null_handle()?)?),
            StdioKind::Handle(fd) | StdioKind::Pipe(fd) if fd.as_raw_fd() > 2 => Source::Borrowed(fd),
            // Putting it in its place could overwrite it before it is used, or be overwritten.
            StdioKind::Handle(fd) | StdioKind::Pipe(fd) => Source::Moved(above_stdio(fd.try_clone()?)?),
            StdioKind::Piped => {
                let (read, write) = pipe()?;
                let (child, parent) = if target == 0 { (read, write) } else { (write, read) };
                Source::Pipe { child: above_stdio(child)?, parent }
            }
        })
    }

    /// `None` if it is this process's own.
    pub(in crate::sys) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Source::Inherited => None,
            Source::Borrowed(fd) => Some(fd.as_fd()),
            Source::Moved(fd) | Source::Pipe { child: fd, .. } => Some(fd.as_fd()),
        }
    }

    pub(in crate::sys) fn into_parent_end(self) -> Option<OwnedFd> {
        match self {
            Source::Pipe { parent, .. } => Some(parent),
            _ => None,
        }
    }
}

/// The same open file under a number above 2: a program that runs with a closed standard stream gets that stream's
/// number for the next file it opens, and the child's streams are put there.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    Ok(moved_above_stdio(&fd)?.unwrap_or(fd))
}

/// The same, unless its number is above 2 already.
fn moved_above_stdio(fd: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    if fd.as_raw_fd() > 2 { Ok(None) } else { Ok(Some(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)) }
}

/// C strings one after another in one buffer: the environment is copied for every child, and an allocation for each of
/// its variables would be a noticeable part of what the parent does for a child.
struct Strings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Strings {
    /// With room for `count` strings of an ordinary length.
    fn for_about(count: usize) -> Self {
        Self { bytes: Vec::with_capacity(count * 64), starts: Vec::with_capacity(count) }
    }

    /// Appends one string, whose parts are given.
    fn push(&mut self, parts: &[&OsStr], what: &str) -> io::Result<()> {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part.as_bytes()));
        if self.bytes[start..].contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{what} contains a zero byte")));
        }
        self.bytes.push(0);
        self.starts.push(start);
        Ok(())
    }

    /// Null-terminated, as the system wants its arrays of strings. Each points to a C string as long as `self` lives
    /// and is not changed.
    fn pointers(&self) -> Vec<*mut libc::c_char> {
        let strings = self.starts.iter().map(|&start| self.bytes[start..].as_ptr().cast_mut().cast());
        strings.chain([ptr::null_mut()]).collect()
    }
}

fn arguments(command: &Command) -> io::Result<Strings> {
    let mut args = Strings::for_about(command.args.len());
    command.args.iter().try_for_each(|arg| args.push(&[arg], "an argument"))?;
    Ok(args)
}

fn environment(command: &Command, place: &str) -> io::Result<Strings> {
    let equals = OsStr::new("=");
    let mut env = Strings::for_about(command.env.len() + 1);
    for (key, value) in &command.env {
        env.push(&[key, equals, value], "an environment variable")?;
    }
    env.push(&[OsStr::new(CHILD_VARIABLE), equals, OsStr::new(place)], "the child's place")?;
    Ok(env)
}

/// What to do about an error of [`start`], to be put behind its text.
pub(crate) fn start_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; is the program's file still executable?",
        io::ErrorKind::NotFound => imp::NOT_FOUND_HINT,
        io::ErrorKind::OutOfMemory => "; the system is out of memory",
        io::ErrorKind::ArgumentListTooLong => "; the environment, or one variable of it, is too long",
        io::ErrorKind::WouldBlock => "; the limit of processes is reached (`ulimit -u`)",
        _ => match error.raw_os_error() {
            Some(libc::ETOOMANYREFS) => "; more open files are on their way than `ulimit -n` allows",
            Some(libc::EMFILE | libc::ENFILE) => "; the limit of open files is reached (`ulimit -n`)",
            _ => "",
        },
    }
}

fn posix_spawn(actions: &FileActions, args: &Strings, env: &Strings) -> io::Result<u32> {
    let attributes = Attributes::new()?;
    let program = imp::program()?;
    let (args, env) = (args.pointers(), env.pointers());
    let mut pid = 0;
    // SAFETY: posix_spawn(3) reads its arguments and writes the process id. The path is a C string; `actions` and
    // `attributes` were initialized and not yet destroyed; both arrays end in a null pointer, and their strings are
    // borrowed from the caller as long as this function runs; the system does not write to them, the pointers are `mut` for historical reasons.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const *actions.0,
            &raw const *attributes.0,
            args.as_ptr(),
            env.as_ptr(),
        )
    };
    check(error)?;
    Ok(pid.unsigned_abs())
}

/// These functions return the error and do not set `errno`.
pub(in crate::sys) fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// What happens to descriptors between the new process's birth and the program's start. Boxed, as POSIX does not say
/// that such an object may be moved.
pub(in crate::sys) struct FileActions(pub(in crate::sys) Box<libc::posix_spawn_file_actions_t>);

impl FileActions {
    fn new() -> io::Result<Self> {
        let mut actions = Box::new(MaybeUninit::uninit());
        // SAFETY: posix_spawn_file_actions_init(3) initializes the object that it is given.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: it was initialized, or the line above has returned.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    pub(in crate::sys) fn duplicate(&mut self, from: RawFd, to: RawFd) -> io::Result<()> {
        // SAFETY: the object is initialized; the call only records the numbers.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut *self.0, from, to) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: the object was initialized by `new` and is destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut *self.0) };
    }
}

/// The child starts with no signal blocked (the spawning thread may block some, to receive them elsewhere), and with
/// the default action for SIGPIPE, which Rust ignores, and for SIGCHLD, which would lose the status of its own
/// children. Other signals that are ignored stay so: `nohup` relies on it.
///
/// Those that nobody ignores for the sake of a child are listed as well: what glibc is to reset it does not look at
/// first, and some forty system calls less are a hundredth of what a small child costs.
struct Attributes(Box<libc::posix_spawnattr_t>);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut attributes = Box::new(MaybeUninit::uninit());
        // SAFETY: posix_spawnattr_init(3) initializes the object that it is given.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: it was initialized, or the line above has returned.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let object = &raw mut *attributes.0;
        let none = signals([]);
        let defaults = signals(never_ignored());
        // SAFETY: the object is initialized, and the set is copied into it.
        check(unsafe { libc::posix_spawnattr_setsigmask(object, &raw const none) })?;
        // SAFETY: as above.
        check(unsafe { libc::posix_spawnattr_setsigdefault(object, &raw const defaults) })?;
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF | imp::SPAWN_FLAGS;
        // SAFETY: the object is initialized. The flags fit: they are small bits.
        check(unsafe { libc::posix_spawnattr_setflags(object, flags as libc::c_short) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the object was initialized by `new` and is destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut *self.0) };
    }
}

/// The signals for which a child starts with the default action.
pub(in crate::sys) fn never_ignored() -> impl Iterator<Item = libc::c_int> {
    [libc::SIGPIPE, libc::SIGCHLD].into_iter().chain(NEVER_IGNORED).chain(imp::more_never_ignored())
}

/// Faults of the program itself, and signals that do nothing by default.
const NEVER_IGNORED: [libc::c_int; 10] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGCONT,
    libc::SIGURG,
    libc::SIGWINCH,
];

fn signals(members: impl IntoIterator<Item = libc::c_int>) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset(3) initializes the set that it is given, and fails for no valid pointer.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it was just initialized.
    let mut set = unsafe { set.assume_init() };
    for signal in members {
        // SAFETY: the set is initialized. The call fails only for numbers that are no signals.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}
