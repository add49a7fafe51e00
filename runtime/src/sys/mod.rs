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
// macOS does not tell all kinds apart, nor say how long memory is to the byte: see its own tests.
#[cfg(all(test, any(target_os = "linux", windows), not(spawnsafe_unsupported)))]
mod handle_tests;
#[cfg(any(not(target_os = "linux"), spawnsafe_unsupported))]
mod no_zygote;
#[cfg(all(test, any(not(any(target_os = "linux", target_os = "macos", windows)), spawnsafe_unsupported)))]
mod rehearsal;
#[cfg(all(test, any(target_os = "linux", windows), not(spawnsafe_unsupported)))]
mod segment_tests;
mod stdio;
#[cfg(all(test, any(target_os = "linux", target_os = "macos", windows), not(spawnsafe_unsupported)))]
mod stream_tests;
#[cfg(all(any(target_os = "linux", target_os = "macos"), not(spawnsafe_unsupported)))]
mod unix;
#[cfg(any(not(any(target_os = "linux", target_os = "macos", windows)), spawnsafe_unsupported))]
mod unqueued;
#[cfg(all(any(target_os = "macos", windows), not(spawnsafe_unsupported)))]
mod unshared;

use std::io::{self, Read};
use std::time::Instant;

use crate::error::ExitStatus;

// Starting: a connection, and a process that gets one end of it.
pub(crate) use imp::{OwnedHandle, Piped, Process, Stream, can_start_again, connection, start, start_hint};
// What a process that was started before gets later, and what it had from the beginning.
pub(crate) use imp::{Inherited, Streams, receive_streams};
// Waiting.
#[cfg(feature = "tokio")]
pub(crate) use imp::AsyncWait;
pub(crate) use imp::{Waker, Watch, wait, wait_any, wait_or_wake, with_signals_blocked};
// Being started, and what is left in common then.
pub(crate) use imp::{Adopted, Shared, adopt, confine, has_raised_privileges, prepare_before_main};
// Starting by a process that forks.
pub(crate) use imp::{Forker, Standing, Surroundings, can_fork, request};
// Packets between any two processes.
#[cfg(feature = "tokio")]
pub(crate) use imp::AsyncEnd;
pub(crate) use imp::{PACKET_HANDLES, PacketEnd, Stored, store, wait_to_receive, wait_to_send};
// Memory that is written by one process and read by many.
pub(crate) use imp::{Segment, SegmentMut};
// The process itself.
pub(crate) use imp::{advise_large, build_id, is_same_variable, os_string, process_name, set_process_name, stack_end};
// Being the agent of a node.
#[cfg(feature = "engines")]
pub(crate) use imp::{portable_build_id, take_streams};
// What tests need.
#[cfg(all(test, any(target_os = "linux", target_os = "macos", windows), not(spawnsafe_unsupported)))]
pub(crate) use imp::{Canary, both_ends, canary};
#[cfg(all(test, any(not(any(target_os = "linux", target_os = "macos", windows)), spawnsafe_unsupported)))]
pub(crate) use rehearsal::{Canary, both_ends, canary};
// Its end.
pub(crate) use imp::{at_exit, prepare_thread_count, thread_count};
// What only a macro can express.
pub(crate) use imp::{before_main, for_each_native_handle};
pub use stdio::Stdio;

/// Tells a process that it is a child, and how to reach its parent. Gone before the entry runs.
pub(crate) const CHILD_VARIABLE: &str = "SPAWNSAFE_CHILD";

/// Tells a process that it is the agent of a node, which has its orders on standard input. Its children do not see it.
pub(crate) const AGENT_VARIABLE: &str = "SPAWNSAFE_AGENT";

/// Tells a process that it is an element of a batch's array, and of which. Its children do not see it.
pub(crate) const BATCH_VARIABLE: &str = "SPAWNSAFE_BATCH";

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

/// What comes to a process that was started before it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Not where none is.
pub(crate) enum Arrived {
    Word(u8),
    /// They are in place.
    Streams,
    /// The connection is closed.
    End,
}

/// What a [`Handle`](crate::Handle) can hold: types that own one open file, socket or pipe, and nothing else.
///
/// On every system `File`, `TcpStream`, `TcpListener`, `UdpSocket`, `ChildStdin`, `ChildStdout` and `ChildStderr`; on Unix
/// `OwnedFd`, `UnixStream`, `UnixListener` and `UnixDatagram`; on Windows `OwnedHandle` and `OwnedSocket`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no open file, socket or pipe that a `Handle` could carry to another process",
    label = "a `Handle` holds what the system has open for this process, and nothing that lives in its memory",
    note = "plain data needs no `Handle`: pass it as it is; what other crates make of a file or socket: pass the type of std that it can be made from"
)]
pub trait HandleSafe: Send + Sync + 'static {
    #[doc(hidden)]
    fn __into_handle(self) -> io::Result<OwnedHandle>
    where
        Self: Sized;

    #[doc(hidden)]
    fn __duplicate(&self) -> io::Result<OwnedHandle>;

    /// Checks that it is of this kind.
    #[doc(hidden)]
    fn __from_handle(handle: OwnedHandle) -> io::Result<Self>
    where
        Self: Sized;
}

/// What tells a [`Segment`] from all others as long as it is there.
pub(crate) type Identity = [i128; 4];

/// One end of a connection through which open handles travel beside the bytes.
pub(crate) trait Receive: Read {
    /// Reads as `read` does, and appends the handles that have come with these bytes. With handles, it ends behind the byte
    /// that they have come with; so they come in the order in which they were sent, up to 253 at once. What is read by
    /// other means loses its handles, which are closed. `first` if these would be the first bytes of a frame: on Windows
    /// what stands before them tells of handles.
    fn receive(&mut self, first: bool, buf: &mut [u8], _: &mut Vec<OwnedHandle>) -> io::Result<Received> {
        let _ = first;
        Ok(Received { count: self.read(buf)?, lost_handles: false })
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) count: usize,
    /// Whether this process was not given all of the handles: it may have no more of them.
    pub(crate) lost_handles: bool,
}

/// Bytes in memory.
impl Receive for &[u8] {}

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

/// Whether a call waits until it can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Wait,
    Now,
}

/// A packet that has come out of a queue.
#[derive(Debug)]
pub(crate) struct Packet {
    /// How many bytes of the buffer it has filled.
    pub(crate) len: usize,
    pub(crate) handles: Vec<OwnedHandle>,
    /// Some of its handles could not be had.
    pub(crate) lacks_handles: bool,
    /// It did not fit into the buffer.
    pub(crate) is_cut: bool,
}

/// Whether a handle is in the other process as soon as it is sent, and not only when that reads of it.
#[cfg(test)]
pub(crate) const SENT_IS_THERE: bool = cfg!(windows);

/// Whether the system tells the length of shared memory to the byte.
#[cfg(test)]
pub(crate) const LENGTHS_ARE_EXACT: bool = cfg!(target_os = "linux");

/// How long until the deadline; `None` for ever.
fn time_left(deadline: Option<Instant>) -> Option<std::time::Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}
