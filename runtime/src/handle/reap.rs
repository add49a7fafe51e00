//! The thread that watches children for which nobody waits: it kills those whose time is up and reaps the detached.
//!
//! It is started when it is first needed, which in most programs is never. One thread for all children: a detached
//! child may live as long as the program.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::launch::Peer;
use crate::sys::{self, Waker, Watch};

/// A child under watch.
struct Watched {
    watch: Watch,
    kill_at: Option<Instant>,
    /// Set when it is killed because its time is up.
    due: Arc<AtomicBool>,
    /// Held if nobody else does: reaped here.
    peer: Option<Box<dyn Peer>>,
}

struct Reaper {
    arrivals: Mutex<Vec<Watched>>,
    waker: Waker,
}

/// Kills the process at this time, unless it ends before, and then sets `due`. Whoever holds it reaps it.
pub(super) fn kill_at(watch: Watch, deadline: Instant, due: Arc<AtomicBool>) {
    hand_over(Watched { watch, kill_at: Some(deadline), due, peer: None });
}

/// Takes over a process that nobody holds any more, and reaps it when it ends.
pub(super) fn adopt(peer: Box<dyn Peer>, kill_at: Option<Instant>) {
    hand_over(Watched { watch: peer.watch(), kill_at, due: Arc::default(), peer: Some(peer) });
}

fn hand_over(watched: Watched) {
    static REAPER: OnceLock<Option<&'static Reaper>> = OnceLock::new();
    match REAPER.get_or_init(|| start().ok()) {
        Some(reaper) => {
            reaper.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
            reaper.waker.wake();
        }
        // No descriptor or no thread was to be had. Whoever holds the child keeps its limit when it waits; a detached
        // child is reaped by the system when this process ends.
        None => std::mem::forget(watched.peer),
    }
}

fn start() -> io::Result<&'static Reaper> {
    let reaper: &'static Reaper = Box::leak(Box::new(Reaper { arrivals: Mutex::default(), waker: Waker::new()? }));
    std::thread::Builder::new().name("spawnsafe-reaper".into()).stack_size(128 << 10).spawn(|| reaper.run())?;
    Ok(reaper)
}

impl Reaper {
    fn run(&self) {
        let mut watched: Vec<Watched> = Vec::new();
        loop {
            watched.append(&mut self.arrivals.lock().unwrap_or_else(PoisonError::into_inner));
            let next = watched.iter().filter_map(|child| child.kill_at).min();
            // Nothing can be done about an error here, and to spin on it would be worse than to stop watching.
            let Ok(ended) = sys::wait_any(watched.iter().map(|child| &child.watch), &self.waker, next) else { return };
            let mut ended = ended.into_iter();
            watched.retain_mut(|child| !ended.next().unwrap_or(false) || !child.has_ended());
            let now = Instant::now();
            watched.iter_mut().for_each(|child| child.kill_if_due(now));
        }
    }
}

impl Watched {
    /// Reaps it, if that is for this thread to do.
    fn has_ended(&mut self) -> bool {
        match &mut self.peer {
            Some(peer) => !matches!(peer.try_wait(), Ok(None)),
            None => true,
        }
    }

    fn kill_if_due(&mut self, now: Instant) {
        if self.kill_at.is_some_and(|kill_at| kill_at <= now) {
            self.kill_at = None;
            self.due.store(true, Ordering::Release);
            // Fails only if it has ended.
            let _ = self.watch.kill();
        }
    }
}
