//! Waiting for descriptors.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec};
use rustix::io::Errno;

use crate::sys::time_left;

/// What poll(2) is asked for at once: macOS counts in milliseconds, of which it takes less than a month of.
const AT_ONCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits until one of them is ready or the deadline has passed.
pub(in crate::sys) fn poll(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = time_left(deadline);
        let timeout = left.and_then(|left| Timespec::try_from(left.min(AT_ONCE)).ok());
        match rustix::event::poll(fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Ok(0) if left.is_some_and(|left| left > AT_ONCE) => {}
            done => return Ok(done.map(drop)?),
        }
    }
}
