//! Where the answers of tasks wait for whoever has asked for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::inherit::Values;
use crate::registry::Entry;
use crate::trace::Span;
use crate::wire::{Arrived, Attachment, Blob};

/// A task on its way to a worker, and for as long as it may have to be given to another one.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: &'static Entry,
    /// The entry's position in the registry.
    pub(super) index: u32,
    pub(super) items: Vec<u8>,
    pub(super) blobs: Vec<Arc<Blob>>,
    /// Empty as soon as no other worker will need them, so that handles are not open here for longer than they must.
    pub(super) attachments: Vec<Attachment>,
    pub(super) timeout: Option<Duration>,
    /// How often it may run again if its worker dies.
    pub(super) retries: u32,
    pub(super) origin: Arc<Origin>,
    /// What the mailbox knows it by.
    pub(super) number: u64,
    pub(super) span: Span,
}

impl Job {
    /// Its answer, on the way to whoever waits for it.
    pub(super) fn ends_with(self, answer: Answer) -> Delivery {
        self.span.ends(answer.as_ref().err());
        (self.origin, self.number, answer)
    }

    /// The same for an error, which is said to be of its entry.
    pub(super) fn fails(self, error: Error) -> Delivery {
        let error = error.in_entry(self.entry.name());
        self.ends_with(Err(error))
    }
}

/// What tasks have in common that were submitted together. Counting references to each part for each task would be felt.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) mailbox: Arc<Mailbox>,
    /// The inherited statics as they were then.
    pub(super) values: Arc<Values>,
}

/// The end of a task: the packed value, or why there is none.
pub(super) type Answer = Result<Reply, Error>;

/// Answers on their way to their mailboxes.
pub(super) type Deliveries = Vec<Delivery>;
pub(super) type Delivery = (Arc<Origin>, u64, Answer);

/// A packed value: a part of the bytes that have arrived together, as memory for each by itself would cost more than all
/// else that is done for a short task.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) entry: &'static Entry,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) part: (u32, u32),
    pub(super) blobs: Box<[Vec<u8>]>,
    pub(super) attachments: Box<[Arrived]>,
}

impl Reply {
    pub(super) fn value(&self) -> &[u8] {
        // Beyond 4 GiB there is one answer only, with all that follows its start.
        let (start, end) = (self.part.0 as usize, self.part.1 as usize);
        if self.part.1 == u32::MAX { &self.bytes[start..] } else { &self.bytes[start..end] }
    }

    /// How much memory it takes.
    pub(super) fn len(&self) -> usize {
        self.value().len() + self.blobs.iter().map(Vec::len).sum::<usize>()
    }
}

/// The answers of one task, or of all tasks of one `map`.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    arrived: Condvar,
    /// Nobody will look into it any more: what has not begun need not begin.
    abandoned: AtomicBool,
    /// What is running for it is to be stopped.
    cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct Letters {
    list: Vec<(u64, Answer)>,
    waiting: usize,
}

impl Mailbox {
    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first of the answers, which is for it, and all that follow and are as well.
    pub(super) fn put(&self, first: (u64, Answer), more: &mut std::iter::Peekable<std::vec::IntoIter<Delivery>>) {
        let mut letters = self.letters();
        letters.list.push(first);
        while let Some((_, number, answer)) = more.next_if(|(origin, _, _)| std::ptr::eq(&*origin.mailbox, self)) {
            letters.list.push((number, answer));
        }
        let is_awaited = letters.waiting > 0;
        drop(letters);
        if is_awaited {
            self.arrived.notify_all();
        }
    }

    /// Moves what has arrived to the end of `to`, and waits for something if nothing has, but not beyond `until`.
    pub(super) fn collect(&self, to: &mut Vec<(u64, Answer)>, until: Until) {
        let mut letters = self.letters();
        while letters.list.is_empty() {
            let now = Instant::now();
            letters.waiting += 1;
            letters = match until {
                Until::Now => {
                    letters.waiting -= 1;
                    return;
                }
                Until::Time(time) if time <= now => {
                    letters.waiting -= 1;
                    return;
                }
                Until::Time(time) => {
                    self.arrived.wait_timeout(letters, time - now).unwrap_or_else(PoisonError::into_inner).0
                }
                Until::Ever => self.arrived.wait(letters).unwrap_or_else(PoisonError::into_inner),
            };
            letters.waiting -= 1;
        }
        to.append(&mut letters.list);
    }

    pub(super) fn has_some(&self) -> bool {
        !self.letters().list.is_empty()
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
