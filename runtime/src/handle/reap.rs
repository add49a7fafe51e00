//! The thread that watches children for which nobody waits: it kills those whose time is up, reaps the detached, and those
//! that are exiting (`launch::exiting`) if nobody else does.
//!
//! It is started when it is first needed, which in most programs is never. One thread for all children: a detached
//! child may live as long as the program.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::launch::{Peer, exiting};
use crate::sys::{self, Waker, Watch};

/// How long the thread waits where the system does not let it wait for something.
const PAUSE: Duration = Duration::from_millis(100);

/// A child under watch.
struct Watched {
    watch: Watch,
    kill_at: Option<Instant>,
    /// Set when it is killed because its time is up.
    due: Arc<AtomicBool>,
    /// Held if nobody else does: reaped here.
    peer: Option<Box<dyn Peer>>,
}

/// See the head of this file.
pub(super) struct Reaper {
    arrivals: Mutex<Vec<Watched>>,
    waker: Waker,
}

/// Kills the process at this time, unless it ends before, and then sets `due`. Whoever holds it reaps it.
pub(super) fn kill_at(watch: Watch, deadline: Instant, due: Arc<AtomicBool>) -> io::Result<()> {
    reaper()?.take(Watched { watch, kill_at: Some(deadline), due, peer: None });
    Ok(())
}

/// Whether a process that is about to answer can be left to exit by itself.
pub(super) fn expect_exit() -> bool {
    reaper().is_ok_and(|reaper| exiting::expect(|time| reaper.waker.wake_after(time)))
}

/// The one reaper of this process, started now if it was not yet. A failure is not for ever: the next one may be luckier.
pub(super) fn reaper() -> io::Result<&'static Reaper> {
    // With the process that it runs in: a copy of this process that the user has forked has none.
    static REAPER: Mutex<Option<(u32, &'static Reaper)>> = Mutex::new(None);
    let mut running = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    match *running {
        Some((process, reaper)) if process == here => Ok(reaper),
        _ => Ok(running.insert((here, start()?)).1),
    }
}

fn start() -> io::Result<&'static Reaper> {
    let reaper = Arc::new(Reaper { arrivals: Mutex::default(), waker: Waker::with_timer()? });
    let running = Arc::clone(&reaper);
    let thread = std::thread::Builder::new().name("spawnsafe-reaper".into()).stack_size(128 << 10);
    sys::with_signals_blocked(|| thread.spawn(move || running.run()))?;
    // It runs as long as the program.
    Ok(Box::leak(Box::new(reaper)))
}

impl Reaper {
    /// Takes over a process that nobody holds any more, and reaps it when it ends.
    pub(super) fn adopt(&self, peer: Box<dyn Peer>, kill_at: Option<Instant>) {
        self.take(Watched { watch: peer.watch(), kill_at, due: Arc::default(), peer: Some(peer) });
    }

    /// Sees to a process that has answered, and takes its time to exit.
    pub(super) fn leave(&self, peer: Box<dyn Peer>) {
        exiting::add(peer, |time| self.waker.wake_after(time));
    }

    fn take(&self, watched: Watched) {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
        self.waker.wake();
    }

    fn run(&self) {
        let mut watched: Vec<Watched> = Vec::new();
        loop {
            watched.append(&mut self.arrivals.lock().unwrap_or_else(PoisonError::into_inner));
            let exiting = exiting::patrol();
            let next = watched.iter().filter_map(|child| child.kill_at).chain(exiting.next).min();
            let watches = watched.iter().map(|child| &child.watch).chain(&exiting.watches);
            match sys::wait_any(watches, &self.waker, next) {
                Ok(ended) => {
                    let mut ended = ended.into_iter();
                    watched.retain_mut(|child| !ended.next().unwrap_or(false) || !child.has_ended());
                }
                // The system is short of something, or more children are watched than it lets a process wait for:
                // there is nobody to tell. Limits are still kept, a little late.
                Err(_) => std::thread::sleep(PAUSE),
            }
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
            // There is nobody to tell if the system refuses.
            let _ = self.watch.kill();
        }
    }
}
