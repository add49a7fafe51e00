//! The only place that knows which system this is: starting processes, waiting for them, and the bytes between them.
//!
//! One contract, the list below, and one folder for each system. Everything above is the same on all of them. What a
//! name means is documented here or at its Linux form; another system's may differ in how, not in what.

#[cfg(all(target_os = "linux", not(spawnsafe_unsupported)))]
#[path = "linux/mod.rs"]
mod imp;
#[cfg(all(target_os = "macos", not(spawnsafe_unsupported)))]
#[path = "macos/mod.rs"]
mod imp;
#[cfg(all(windows, not(spawnsafe_unsupported)))]
#[path = "windows/mod.rs"]
mod imp;
// `--cfg spawnsafe_unsupported` lets the twin be type-checked on a supported system.
#[cfg(any(not(any(target_os = "linux", target_os = "macos", windows)), spawnsafe_unsupported))]
#[path = "unsupported.rs"]
mod imp;
mod stdio;
#[cfg(all(any(target_os = "linux", target_os = "macos"), not(spawnsafe_unsupported)))]
mod unix;

use std::time::Instant;

use crate::error::ExitStatus;

// Starting: a connection, and a process that gets one end of it.
pub(crate) use imp::{OwnedHandle, Piped, Process, Stream, can_start_again, connection, start, start_hint};
// Waiting.
#[cfg(feature = "tokio")]
pub(crate) use imp::AsyncWait;
pub(crate) use imp::{Waker, Watch, wait, wait_any, wait_or_wake, with_signals_blocked};
// Being started, and what is left in common then.
pub(crate) use imp::{Adopted, Shared, adopt, confine, has_raised_privileges, prepare_before_main};
// The process itself.
pub(crate) use imp::{advise_large, build_id, is_same_variable, os_string, process_name, set_process_name, stack_end};
// What only a macro can express.
pub(crate) use imp::{before_main, for_each_native_handle};
pub use stdio::Stdio;

/// Tells a process that it is a child, and how to reach its parent. Gone before the entry runs.
pub(crate) const CHILD_VARIABLE: &str = "SPAWNSAFE_CHILD";

/// What to start; the program is always this one.
#[derive(Debug)]
pub(crate) struct Command {
    /// All arguments, the program's name first.
    pub(crate) args: Vec<std::ffi::OsString>,
    /// The whole environment, without [`CHILD_VARIABLE`].
    pub(crate) env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
    /// Put in front of what [`CHILD_VARIABLE`] says, with a `;` between.
    pub(crate) token: &'static str,
    /// Memory that the process is to share with this one.
    pub(crate) shared: Option<Shared>,
}

/// A process that has just been started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) piped: Piped,
    /// What the command asked to share.
    pub(crate) shared: Option<Shared>,
}

/// How a process ended; the system may have told somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    With(ExitStatus),
    #[allow(dead_code)] // Not where nobody but the parent can ask.
    Unknown,
}

impl Ended {
    /// Whether it may have been killed by this process.
    pub(crate) fn may_be_kill(self) -> bool {
        match self {
            Ended::With(status) => imp::is_kill(status),
            Ended::Unknown => true,
        }
    }
}

/// What a process may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// The numbers of the processors that it may run on; any, if there is none.
    pub(crate) processors: Vec<u32>,
    /// As nice(1) counts it: from -20, the first to be served, to 19.
    pub(crate) niceness: Option<i32>,
}

/// What a parent waits for on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    ReadOrWrite,
}

/// What has come true while waiting; nothing if the deadline passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The connection can be read or written, or is closed.
    pub(crate) stream: bool,
    /// The process has ended.
    pub(crate) ended: bool,
}

/// How long until the deadline; `None` for ever.
fn time_left(deadline: Option<Instant>) -> Option<std::time::Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}
