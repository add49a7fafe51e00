//! How a pool goes on and comes to its end: whether workers are started, and what is told when none is any more.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Common, Next, Seat};
use crate::error::Error;
use crate::pool::texts;

/// How often in a row workers may fail before they are ready until the pool gives up.
const FAILURES: u32 = 5;

/// How long a pool waits after the first such failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// What the pool still does.
#[derive(Debug)]
pub(super) enum Stage {
    Open,
    /// It takes no more tasks, and ends when it has none.
    Closed,
    /// Its workers cannot begin.
    Broken(Error, #[cfg_attr(not(feature = "engines"), allow(dead_code))] Fault),
    /// It ends now, and why.
    Ended(Error),
}

/// What keeps workers from beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Fault {
    /// None is started here, or not with these settings: on another machine it may go well.
    Start,
    /// The initializer has failed, or an inherited static, as it would everywhere.
    Own,
}

impl Common {
    /// What the thread of a seat without a worker is to do.
    pub(in crate::pool) fn next(&self, seat: &Seat) -> Next {
        let state = self.state();
        let has_nothing_left = self.open.load(Ordering::Acquire) == 0;
        match state.stage {
            Stage::Broken(..) | Stage::Ended(_) => return Next::Leave,
            Stage::Closed if has_nothing_left => return Next::Leave,
            Stage::Open | Stage::Closed => {}
        }
        if seat.retired.load(Ordering::Acquire) {
            return Next::Leave;
        }
        match state.not_before {
            Some(time) if time > Instant::now() => Next::Wait(time),
            _ => Next::Start(Arc::clone(&state.values)),
        }
    }

    /// Whether a worker that has nothing to do should end.
    pub(in crate::pool) fn should_leave(&self, seat: &Seat) -> bool {
        if seat.retired.load(Ordering::Acquire) {
            return true;
        }
        let state = self.state();
        matches!(state.stage, Stage::Closed) && self.open.load(Ordering::Acquire) == 0
    }

    /// Whether workers are to end at once, whatever they do.
    pub(in crate::pool) fn must_leave(&self) -> bool {
        matches!(self.state().stage, Stage::Ended(_) | Stage::Broken(..))
    }

    /// What tasks are told that were running when the pool ended.
    pub(in crate::pool) fn why_ended(&self) -> Error {
        self.state().stage.refusal().unwrap_or_else(texts::dropped)
    }

    /// A worker has ended before it was of any use.
    pub(in crate::pool) fn failed_to_start(&self, error: Error, fault: Fault) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(state.failures.min(8) - 1);
        state.not_before = Instant::now().checked_add(pause);
        let works = state.seats.iter().any(|seat| seat.is_at_work());
        if state.failures < FAILURES || works || !matches!(state.stage, Stage::Open | Stage::Closed) {
            return;
        }
        let error = texts::broken(state.failures, &error);
        let jobs = state.empty();
        state.stage = Stage::Broken(error.copy(), fault);
        state.seats.iter().for_each(|seat| seat.waker.wake());
        drop(state);
        self.fail(jobs, || error.copy());
    }

    /// A worker is ready, and has been of use or will be.
    pub(in crate::pool) fn works(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.not_before = None;
    }

    /// Takes no more tasks.
    pub(in crate::pool) fn close(&self) {
        let mut state = self.state();
        if matches!(state.stage, Stage::Open) {
            state.stage = Stage::Closed;
        }
        state.seats.iter().for_each(|seat| seat.waker.wake());
        drop(state);
    }

    /// Waits until no task is open. `false` if the time passes first.
    pub(in crate::pool) fn wait_until_quiet(&self, until: Option<Instant>) -> bool {
        let mut state = self.state();
        state.quiet_awaited = true;
        while self.open.load(Ordering::Acquire) > 0 {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.quiet.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => self.quiet.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        true
    }

    /// Ends everything now; what is open gets this error. Those that are running get it from the threads.
    pub(in crate::pool) fn end(&self, error: &Error) {
        let mut state = self.state();
        let jobs = state.empty();
        if !matches!(state.stage, Stage::Broken(..)) {
            state.stage = Stage::Ended(error.copy());
        }
        state.seats.iter().for_each(|seat| seat.waker.wake());
        drop(state);
        self.fail(jobs, || error.copy());
    }
}

impl Stage {
    /// Why it takes no more tasks.
    pub(super) fn objection(&self) -> Option<Error> {
        match self {
            Stage::Open => None,
            Stage::Broken(error, _) => Some(error.copy()),
            Stage::Closed | Stage::Ended(_) => Some(texts::closed()),
        }
    }

    /// Why nothing runs any more.
    pub(super) fn refusal(&self) -> Option<Error> {
        match self {
            Stage::Open | Stage::Closed => None,
            Stage::Broken(error, _) | Stage::Ended(error) => Some(error.copy()),
        }
    }
}
