//! The contract on a system that is not supported yet: everything compiles, and every start is an error.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, Read};
use std::marker::PhantomData;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

pub(crate) use super::no_zygote::{Forker, Standing, Surroundings, can_fork, request};
#[cfg(feature = "tokio")]
pub(crate) use super::unqueued::AsyncEnd;
pub(crate) use super::unqueued::{PACKET_HANDLES, PacketEnd, Stored, store, wait_to_receive, wait_to_send};
use super::{Arrived, Command, Confinement, Ended, Interest, Ready, Receive, Started, Stdio};

/// Nobody makes any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Never {}

/// Whatever converts into a handle elsewhere is closed here: no child will ever have it.
#[derive(Debug)]
pub struct OwnedHandle(());

/// What a standard stream of a child is connected to.
pub(crate) type StreamHandle = OwnedHandle;

impl OwnedHandle {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(()))
    }
}

macro_rules! closed {
    ($($type:ty),*) => {$(
        impl From<$type> for OwnedHandle {
            fn from(_: $type) -> Self {
                Self(())
            }
        }
    )*};
}

closed!(std::fs::File, ChildStdin, ChildStdout, ChildStderr);

macro_rules! handle_safe {
    ($($type:ty),*) => {$(
        impl super::HandleSafe for $type {
            fn __into_handle(self) -> io::Result<OwnedHandle> {
                unsupported()
            }

            fn __duplicate(&self) -> io::Result<OwnedHandle> {
                unsupported()
            }

            fn __from_handle(_: OwnedHandle) -> io::Result<Self> {
                unsupported()
            }
        }
    )*};
}

handle_safe!(std::fs::File, std::net::TcpStream, std::net::TcpListener, std::net::UdpSocket);
handle_safe!(ChildStdin, ChildStdout, ChildStderr);

#[derive(Debug)]
pub(crate) struct Stream(Never);
#[derive(Debug)]
pub(crate) struct Handover(Never);
#[derive(Debug)]
pub(crate) struct Process(Never);
#[derive(Clone, Debug)]
pub(crate) struct Watch(Never);
#[derive(Debug)]
pub(crate) struct Waker(Never);
#[derive(Debug)]
pub(crate) struct Shared(Never);
#[derive(Debug)]
pub(crate) struct SegmentMut(Never);
#[derive(Debug)]
pub(crate) struct Segment(Never);
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    pub(crate) shared: Option<Shared>,
}

#[derive(Debug, Default)]
pub(crate) struct Piped {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "spawnsafe does not support this system yet"))
}

pub(crate) fn connection() -> io::Result<(Stream, Handover)> {
    unsupported()
}

pub(crate) fn start(_: &mut Command, handover: &Handover) -> io::Result<Started> {
    match handover.0 {}
}

impl Stream {
    pub(crate) fn write(&self, _: &[IoSlice<'_>], _: &[&OwnedHandle]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn comes_within(&self, _: Duration) -> bool {
        match self.0 {}
    }

    pub(crate) fn prepare_to_write(&self, _: usize) {
        match self.0 {}
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn has_room(&self, _: Instant) -> bool {
        match self.0 {}
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn tell(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Read for &Stream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Receive for &Stream {}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn watch(&self) -> Watch {
        match self.0 {}
    }

    pub(crate) fn try_wait(&mut self) -> io::Result<Option<Ended>> {
        match self.0 {}
    }

    pub(crate) fn release(&self, _: &Stream) -> io::Result<()> {
        match self.0 {}
    }
}

impl Watch {
    pub(crate) fn kill(&self) -> io::Result<()> {
        match self.0 {}
    }
}

impl Shared {
    pub(crate) fn new(_: usize) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        match self.0 {}
    }

    pub(crate) fn handed_over(&mut self) {
        match self.0 {}
    }
}

impl SegmentMut {
    pub(crate) fn zeroed(_: usize) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self.0 {}
    }

    pub(crate) fn seal(self) -> io::Result<Segment> {
        match self.0 {}
    }
}

impl Segment {
    pub(crate) fn adopt(_: OwnedHandle, _: usize) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn identity(_: &OwnedHandle, _: usize) -> Option<crate::sys::Identity> {
        None
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn handle(&self) -> &Arc<OwnedHandle> {
        match self.0 {}
    }
}

pub(crate) fn confine(_: &Confinement) -> io::Result<()> {
    unsupported()
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn with_timer() -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn wake_after(&self, _: Duration) {
        match self.0 {}
    }

    pub(crate) fn wake(&self) {
        match self.0 {}
    }
}

pub(crate) fn wait(process: &Process, _: Option<(&Stream, Interest)>, _: Option<Instant>) -> io::Result<Ready> {
    match process.0 {}
}

pub(crate) fn wait_or_wake(
    watch: &Watch,
    _: Option<(&Stream, Interest)>,
    _: Option<&Waker>,
    _: Option<Instant>,
) -> io::Result<()> {
    match watch.0 {}
}

pub(crate) fn wait_any<'a>(
    _: impl Iterator<Item = &'a Watch>,
    waker: &Waker,
    _: Option<Instant>,
) -> io::Result<Vec<bool>> {
    match waker.0 {}
}

#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct AsyncWait(Never);

#[cfg(feature = "tokio")]
impl AsyncWait {
    pub(crate) fn new(process: &Process, _: Option<&Stream>) -> io::Result<Self> {
        match process.0 {}
    }

    pub(crate) async fn wait(&self, _: Option<Instant>) -> io::Result<()> {
        match self.0 {}
    }
}

impl Adopted {
    pub(crate) fn is_intact(&self) -> bool {
        match self.stream.0 {}
    }

    pub(crate) fn prepare_to_stay(&mut self) {
        match self.stream.0 {}
    }

    pub(crate) fn is_ours(&self) -> bool {
        match self.stream.0 {}
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inherited(Never);

impl Inherited {
    pub(crate) fn now() -> io::Result<Self> {
        unsupported()
    }
}

pub(crate) struct Streams<'a>(Never, PhantomData<&'a Stdio>);

impl<'a> Streams<'a> {
    pub(crate) fn of(_: [&'a Stdio; 3]) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn send(&self, _: &Stream) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn into_parent_ends(self) -> Piped {
        match self.0 {}
    }
}

pub(crate) fn receive_streams(_: &Stream, _: bool) -> io::Result<Arrived> {
    unsupported()
}

pub(crate) fn adopt(_: &OsStr) -> Result<Option<Adopted>, String> {
    Err("spawnsafe does not support this system yet".into())
}

pub(crate) fn has_raised_privileges() -> bool {
    false
}

pub(crate) fn prepare_before_main() {}

pub(crate) fn at_exit(_: extern "C" fn()) -> bool {
    false
}

pub(crate) fn prepare_thread_count() {}

pub(crate) fn thread_count() -> Option<u64> {
    None
}

pub(crate) fn process_name() -> String {
    String::new()
}

pub(crate) fn set_process_name(_: &str) {}

pub(crate) fn build_id() -> u64 {
    0
}

#[cfg(feature = "engines")]
pub(crate) fn portable_build_id() -> u64 {
    0
}

#[cfg(feature = "engines")]
pub(crate) fn take_streams() -> io::Result<(std::fs::File, std::fs::File)> {
    unsupported()
}

pub(crate) fn can_start_again() -> bool {
    true
}

pub(crate) fn is_kill(_: crate::error::ExitStatus) -> bool {
    false
}

pub(crate) fn start_hint(_: &io::Error) -> &'static str {
    ""
}

pub(crate) fn is_same_variable(a: &OsStr, b: &OsStr) -> bool {
    a == b
}

pub(crate) fn with_signals_blocked<T>(action: impl FnOnce() -> T) -> T {
    action()
}

pub(crate) fn stack_end() -> Option<usize> {
    None
}

pub(crate) fn advise_large(_: std::ops::Range<*const u8>) {}

pub(crate) fn os_string(_: &[u8]) -> OsString {
    OsString::new()
}

macro_rules! for_each_native_handle {
    ($macro:ident) => {
        $macro! {}
    };
}
pub(crate) use for_each_native_handle;

macro_rules! before_main {
    ($function:path) => {
        const _: fn() = $function;
    };
}
pub(crate) use before_main;
