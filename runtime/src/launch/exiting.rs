//! Child processes that have answered and have nothing left to do but to exit, and for which nobody waits.
//!
//! `Call::run` returns as soon as the value is there. Its process takes another tenth of a millisecond to go, and is put
//! here. Who reaps it: mostly the next `run`, in the time that its own child takes to be loaded ([`sweep`]); otherwise the
//! reaper thread, a few milliseconds later ([`patrol`]). That thread is not woken for each process, which would cost as
//! much as waiting for it: it ticks while there is something here, and sleeps while there is not.
//!
//! # The end of the parent
//! Exit handlers of a child (coverage data, a C library's) must not be cut off because its parent has returned from `main`
//! meanwhile, and the kernel kills what is left of its children. So the parent waits for them in an exit handler of its
//! own. The alternative, that the child disarms its lifeline when it has answered, would let it outlive a parent that is
//! killed by as long as its handlers take. What is left open: a parent that replaces itself (`exec`) or ends with `_exit`
//! does not wait.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Peer;
use crate::sys::{self, Watch};

/// How long a process may take to exit after it has answered. What runs then is the user's (exit handlers of C
/// libraries), and may hang; the answer is there, and is not held back for ever.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// After this time the reaper thread looks at what nobody has reaped: a zombie gets no older in a program that does
/// nothing else, and a program that starts one child after another is disturbed so often and no more.
const TICK: Duration = Duration::from_millis(5);

static EXITING: Exiting = Exiting::new();

/// The process whose exit handler waits; 0 if there is none.
static WAITS_AT_EXIT: AtomicU32 = AtomicU32::new(0);

struct Exiting(Mutex<State>);

struct State {
    /// Whose children they are: they are not those of a copy of this process that the user has forked.
    process: u32,
    children: Vec<Leaving>,
    /// When the reaper thread looks at the new ones; `None` if it has to be told first.
    look_at: Option<Instant>,
}

struct Leaving {
    peer: Box<dyn Peer>,
    since: Instant,
    kill_at: Option<Instant>,
}

/// What the reaper thread is to wait for.
#[derive(Debug, Default)]
pub(crate) struct Patrol {
    /// When to look again.
    pub(crate) next: Option<Instant>,
    /// Those that take their time: when one of them ends, it is to be reaped.
    pub(crate) watches: Vec<Watch>,
}

/// Whether a process can be left to exit by itself. If so, one is about to: `tell` is called if the reaper thread has to
/// be told, with the time after which it is to look. It is before the answer is there that there is time for that.
pub(crate) fn expect(tell: impl FnOnce(Duration)) -> bool {
    let process = std::process::id();
    if WAITS_AT_EXIT.load(Ordering::Acquire) != process && !wait_at_exit(process) {
        return false;
    }
    if EXITING.lock().look_soon() {
        tell(TICK);
    }
    true
}

/// Takes a process over that has answered.
pub(crate) fn add(peer: Box<dyn Peer>, tell: impl FnOnce(Duration)) {
    let now = Instant::now();
    let mut state = EXITING.lock();
    state.children.push(Leaving { peer, since: now, kill_at: now.checked_add(GRACE) });
    if state.look_soon() {
        drop(state);
        tell(TICK);
    }
}

/// Reaps those that are gone by now. Never waits.
pub(crate) fn sweep() {
    if let Ok(state) = EXITING.0.try_lock() {
        let gone = of_this_process(state).take_gone();
        // Closing what belongs to them need not keep others from the list.
        drop(gone);
    }
}

/// The same, for the thread that does it where nobody else comes along, and kills those whose time is up.
pub(crate) fn patrol() -> Patrol {
    let now = Instant::now();
    EXITING.patrol(now)
}

/// Tries again if it fails while such processes still take up room: descriptors, memory, or one of the processes that a
/// user may have. Who calls `run` in a loop has waited for them to begin with.
pub(super) fn with_room<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    use io::ErrorKind::{ArgumentListTooLong, InvalidInput, NotFound, PermissionDenied, Unsupported};

    attempt().or_else(|error| {
        let is_about_room =
            !matches!(error.kind(), ArgumentListTooLong | InvalidInput | NotFound | PermissionDenied | Unsupported);
        if is_about_room && EXITING.wait_for_all() { attempt() } else { Err(error) }
    })
}

fn wait_at_exit(process: u32) -> bool {
    // One after another, so that it is not registered twice.
    let _state = EXITING.lock();
    // A copy of a process has its handlers.
    let is_registered = WAITS_AT_EXIT.load(Ordering::Acquire) != 0 || sys::at_exit(at_exit);
    if is_registered {
        WAITS_AT_EXIT.store(process, Ordering::Release);
    }
    is_registered
}

/// Nothing in here panics.
extern "C" fn at_exit() {
    // In a copy of the process another thread may have held the lock for ever.
    if WAITS_AT_EXIT.load(Ordering::Acquire) == std::process::id() {
        EXITING.wait_for_all();
    }
}

/// Forgets what was copied from another process.
fn of_this_process(mut state: MutexGuard<'_, State>) -> MutexGuard<'_, State> {
    let here = std::process::id();
    if state.process != here {
        *state = State { process: here, children: Vec::new(), look_at: None };
    }
    state
}

impl Exiting {
    const fn new() -> Self {
        Self(Mutex::new(State { process: 0, children: Vec::new(), look_at: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        of_this_process(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn patrol(&self, now: Instant) -> Patrol {
        let mut state = self.lock();
        let gone = state.take_gone();
        let is_new = |child: &Leaving| now.saturating_duration_since(child.since) < TICK;
        if state.look_at.is_some_and(|look_at| look_at <= now) {
            state.look_at = state.children.iter().any(is_new).then(|| now + TICK);
        }
        for child in &mut state.children {
            if child.kill_at.is_some_and(|kill_at| kill_at <= now) {
                child.kill_at = None;
                // There is nobody to tell if the system refuses.
                let _ = child.peer.kill();
            }
        }
        let slow = || state.children.iter().filter(|child| !is_new(child));
        let next = slow().filter_map(|child| child.kill_at).chain(state.look_at).min();
        let watches = slow().map(|child| child.peer.watch()).collect();
        drop(state);
        drop(gone);
        Patrol { next, watches }
    }

    /// Waits until all are gone that are here now, and kills those whose time is up. `false` if there is none.
    fn wait_for_all(&self) -> bool {
        let mut waited = false;
        loop {
            // Not held while waiting.
            let Some(child) = self.lock().children.pop() else { return waited };
            child.wait();
            waited = true;
        }
    }
}

impl State {
    /// Whether the reaper thread has to be told that it is to look after a tick.
    fn look_soon(&mut self) -> bool {
        let is_new = self.look_at.is_none();
        if is_new {
            self.look_at = Some(Instant::now() + TICK);
        }
        is_new
    }

    fn take_gone(&mut self) -> Vec<Leaving> {
        let mut gone = Vec::new();
        let mut index = 0;
        while index < self.children.len() {
            match self.children[index].peer.try_wait() {
                Ok(None) => index += 1,
                // One that cannot be asked about any more will not be known of later either.
                _ => gone.push(self.children.swap_remove(index)),
            }
        }
        gone
    }
}

impl Leaving {
    fn wait(mut self) {
        while let Ok(None) = self.peer.try_wait() {
            if self.kill_at.is_some_and(|kill_at| kill_at <= Instant::now()) {
                self.kill_at = None;
                let _ = self.peer.kill();
            }
            if self.peer.wait(None, self.kill_at).is_err() {
                return;
            }
        }
    }
}
