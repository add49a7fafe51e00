//! Where the answers of tasks wait for whoever has asked for them.

use std::iter::Peekable;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::letters::{Delivery, Letter};

/// The answers of one task, or of all tasks of one `map`.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    arrived: Condvar,
    /// Nobody will look into it any more: what has not begun need not begin.
    abandoned: AtomicBool,
    /// What is running for it is to be stopped.
    cancelled: AtomicBool,
    /// Where what comes goes instead: many tasks, each of which can be cancelled, and one place to look.
    #[cfg(feature = "engines")]
    forward: Option<std::sync::Arc<Self>>,
}

#[derive(Debug, Default)]
struct Inside {
    letters: Vec<Letter>,
    /// How many threads wait.
    waiting: usize,
    /// The task of an executor that waits.
    waker: Option<Waker>,
    /// Whoever waits is to look at something else.
    #[cfg(feature = "engines")]
    is_called: bool,
}

impl Mailbox {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One whose letters go to another one.
    #[cfg(feature = "engines")]
    pub(super) fn forwarding(to: std::sync::Arc<Self>) -> Self {
        Self { forward: Some(to), ..Self::default() }
    }

    /// Takes the first of the letters, which is for it, and all that follow and are as well.
    pub(super) fn put(&self, first: Letter, more: &mut Peekable<impl Iterator<Item = Delivery>>) {
        #[cfg(feature = "engines")]
        if let Some(forward) = &self.forward {
            return forward.put(first, more);
        }
        let mut inside = self.inside();
        inside.letters.push(first);
        while let Some(Delivery { letter, .. }) = more.next_if(|next| std::ptr::eq(&*next.bundle.mailbox, self)) {
            inside.letters.push(letter);
        }
        let (is_awaited, waker) = (inside.waiting > 0, inside.waker.take());
        drop(inside);
        if is_awaited {
            self.arrived.notify_all();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Has whoever waits go on without a letter.
    #[cfg(feature = "engines")]
    pub(super) fn call(&self) {
        self.inside().is_called = true;
        self.arrived.notify_all();
    }

    /// Moves what has arrived to the end of `to`, and waits for something if nothing has, but not beyond `until`, and not if
    /// it was called.
    pub(super) fn collect(&self, to: &mut Vec<Letter>, until: Until) {
        let mut inside = self.inside();
        while inside.letters.is_empty() {
            #[cfg(feature = "engines")]
            if std::mem::take(&mut inside.is_called) {
                return;
            }
            let left = match until {
                Until::Now => return,
                Until::Time(time) => Some(time.saturating_duration_since(Instant::now())),
                Until::Ever => None,
            };
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            inside.waiting += 1;
            inside = match left {
                Some(left) => self.arrived.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.arrived.wait(inside).unwrap_or_else(PoisonError::into_inner),
            };
            inside.waiting -= 1;
        }
        to.append(&mut inside.letters);
    }

    /// The first letter; or else this is woken when there is one, and whoever was to be woken before is not.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Letter> {
        let mut inside = self.inside();
        let letter = inside.letters.pop();
        if letter.is_none() {
            match &mut inside.waker {
                Some(before) => before.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        letter
    }

    pub(super) fn has_some(&self) -> bool {
        !self.inside().letters.is_empty()
    }

    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Whether what has not begun for it need not begin.
    pub(super) fn is_unwanted(&self) -> bool {
        self.is_abandoned() || self.is_cancelled()
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Now,
    Time(Instant),
    Ever,
}
