//! Waiting for several things at once, without a thread for each.

use std::io;
use std::time::{Duration, Instant};

use super::kqueue::{Happened, Queue};
use super::process::await_status;
use super::{Process, Stream, Watch};
use crate::sys::{Interest, Ready};

/// Waits until the connection is ready, the process has ended or the deadline has passed.
pub(crate) fn wait(
    process: &Process,
    stream: Option<(&Stream, Interest)>,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let ended = Ready { stream: stream.is_some(), ended: true };
    let Some(pid) = process.running() else { return Ok(ended) };
    let queue = Queue::new()?;
    if let Some((stream, interest)) = stream {
        queue.watch_read(stream)?;
        if interest == Interest::ReadOrWrite {
            queue.watch_write(stream)?;
        }
    }
    if !queue.watch_process(pid)? {
        await_status(pid);
        return Ok(ended);
    }
    let mut ready = Ready::default();
    for happened in queue.wait(3, deadline)? {
        match happened {
            Happened::Ended(pid) => {
                await_status(pid);
                ready.ended = true;
            }
            Happened::Ready => ready.stream = true,
            Happened::Woken => {}
        }
    }
    Ok(ready)
}

/// As [`wait`], for whoever does not hold the process; and also ends when the waker is used.
pub(crate) fn wait_or_wake(
    watch: &Watch,
    stream: Option<(&Stream, Interest)>,
    waker: Option<&Waker>,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let Some(pid) = watch.running() else { return Ok(()) };
    let queue = Queue::new()?;
    if let Some((stream, interest)) = stream {
        queue.watch_read(stream)?;
        if interest == Interest::ReadOrWrite {
            queue.watch_write(stream)?;
        }
    }
    if let Some(waker) = waker {
        // A queue can be read when something has happened in it.
        queue.watch_read(&waker.0)?;
    }
    if queue.watch_process(pid)? {
        queue.wait(4, deadline)?;
    }
    if let Some(waker) = waker {
        waker.0.wait(1, Some(Instant::now()))?;
    }
    Ok(())
}

/// Waits until one of the processes has ended, the waker is used or the deadline has passed. Tells for each process
/// whether it has ended.
pub(crate) fn wait_any<'a>(
    watches: impl Iterator<Item = &'a Watch>,
    waker: &Waker,
    deadline: Option<Instant>,
) -> io::Result<Vec<bool>> {
    // Those that were watched the last time still are: watching them again changes nothing.
    let mut pids = Vec::new();
    for watch in watches {
        let pid = watch.running();
        let still_runs = pid.map_or(Ok(false), |pid| waker.0.watch_process(pid))?;
        pids.push((pid, !still_runs));
    }
    let has_ended = pids.iter().any(|&(_, ended)| ended);
    let deadline = if has_ended { Some(Instant::now()) } else { deadline };
    for happened in waker.0.wait(pids.len() + 1, deadline)? {
        let Happened::Ended(ended) = happened else { continue };
        pids.iter_mut().filter(|(pid, _)| *pid == Some(ended)).for_each(|(_, has_ended)| *has_ended = true);
    }
    pids.iter().filter(|&&(_, ended)| ended).filter_map(|&(pid, _)| pid).for_each(await_status);
    Ok(pids.into_iter().map(|(_, ended)| ended).collect())
}

/// Ends a [`wait_any`] of another thread.
#[derive(Debug)]
pub(crate) struct Waker(Queue);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = Queue::new()?;
        queue.watch_waking()?;
        Ok(Self(queue))
    }

    /// One that can also be used for later.
    pub(crate) fn with_timer() -> io::Result<Self> {
        Self::new()
    }

    /// Here at once: whoever waits finds that it is not time yet, and waits on.
    pub(crate) fn wake_after(&self, _: Duration) {
        self.wake();
    }

    pub(crate) fn wake(&self) {
        // There is nothing that could fail: the event is there.
        let _ = self.0.wake();
    }
}
