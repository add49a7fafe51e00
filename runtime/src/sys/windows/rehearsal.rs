//! For tests: a connection within one process, and handles of which it is known whether they are closed.

use std::io;
use std::os::windows::io::OwnedHandle;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::handle::this_process;
use super::passing::Passing;
use super::pipe::{self, Purpose};
use super::{AnyHandle, Stream, connection};

/// Both ends of a connection. None of them blocks.
pub(crate) fn both_ends() -> io::Result<(Stream, Stream)> {
    let (parent, handover) = connection()?;
    *handover.passing.lock().unwrap() = Passing::Child(this_process());
    Ok((parent, Stream::polled(handover.pipe, Arc::new(Mutex::new(Passing::Parent)))?))
}

/// Both ends as a parent and its child have them: the child's blocks.
pub(crate) fn parent_and_child() -> io::Result<(Stream, Stream)> {
    let (parent, handover) = connection()?;
    Ok((parent, Stream::blocking(handover.pipe)?))
}

/// Whether something that was told is still to be written.
#[cfg(feature = "tracing")]
pub(crate) fn has_more_to_write(stream: &Stream) -> bool {
    stream.writing.is_pending()
}

/// Tells whether a handle and all its copies are closed.
#[derive(Debug)]
pub(crate) struct Canary(OwnedHandle);

/// A handle that is watched.
pub(crate) fn canary() -> io::Result<(AnyHandle, Canary)> {
    let (ours, theirs) = pipe::pair(Purpose::Connection)?;
    Ok((theirs.into(), Canary(ours)))
}

impl Canary {
    pub(crate) fn is_closed(&self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.is_open() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        !self.is_open()
    }

    pub(crate) fn is_open(&self) -> bool {
        pipe::available(&self.0).unwrap().is_some()
    }
}
