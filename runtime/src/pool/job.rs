//! Tasks on their way to workers: those that were submitted together stay together, in one piece of memory.
//!
//! What is done for each task by itself is what short tasks cost. So tasks of one entry are a bundle, which is written to
//! a worker as it is, and what moves between the queue and the workers are parts of bundles.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::letters::{Content, Delivery, Letter};
use super::mailbox::Mailbox;
use crate::error::Error;
use crate::inherit::Values;
use crate::registry::Entry;
use crate::trace::Span;
use crate::wire::{Attachment, Blob, TaskRecord};

/// How many bytes of arguments are kept in one piece of memory: it is there as long as one of its tasks has not ended.
const MOST_BYTES: usize = 64 << 10;

/// Tasks of one entry that were submitted together.
pub(super) struct Bundle {
    pub(super) entry: &'static Entry,
    /// The entry's position in the registry.
    pub(super) index: u32,
    pub(super) timeout: Option<Duration>,
    pub(super) mailbox: Arc<Mailbox>,
    /// The inherited statics as they were then.
    pub(super) values: Arc<Values>,
    /// What the mailbox knows the first task by; the others follow.
    pub(super) first: u64,
    /// The packed arguments, as they travel; and where those of each task end.
    records: Vec<u8>,
    ends: Vec<usize>,
    /// Long values of the only task.
    pub(super) blobs: Vec<Arc<Blob>>,
    /// Its open handles, until it is a job.
    pub(super) attachments: Vec<Attachment>,
    pub(super) spans: Vec<Span>,
}

impl Bundle {
    /// One without tasks, and with room for some small ones.
    pub(super) fn new(
        (entry, index): (&'static Entry, u32),
        (mailbox, values): (&Arc<Mailbox>, &Arc<Values>),
        first: u64,
        room: usize,
    ) -> Self {
        Self {
            entry,
            index,
            timeout: None,
            mailbox: Arc::clone(mailbox),
            values: Arc::clone(values),
            first,
            records: Vec::with_capacity(room * 8),
            ends: Vec::with_capacity(room),
            blobs: Vec::new(),
            attachments: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Adds a task with these arguments.
    #[inline]
    pub(super) fn push(&mut self, arguments: &[u8]) {
        TaskRecord(arguments).encode(&mut self.records);
        self.ends.push(self.records.len());
        let span = Span::task(self.entry.name());
        // Without the feature there is nothing that an element would tell.
        if size_of::<Span>() > 0 {
            self.spans.push(span);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it is better to begin another one.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= MOST_BYTES
    }

    /// How many bytes its tasks have.
    pub(super) fn bytes(&self) -> usize {
        self.records.len() + self.blobs.iter().map(|blob| blob.len()).sum::<usize>()
    }

    /// Its tasks, to be submitted.
    pub(super) fn into_job(mut self, retries: u32) -> Job {
        let (tasks, attachments) = (0..self.len(), std::mem::take(&mut self.attachments));
        Job { bundle: Arc::new(self), tasks, retries, attachments }
    }
}

/// Some of the tasks of a bundle, at least one: on their way to a worker, and for as long as they may have to be given to
/// another one.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) bundle: Arc<Bundle>,
    tasks: Range<usize>,
    /// How often each may run again if its worker dies.
    pub(super) retries: u32,
    /// Those of the only task. Empty as soon as no other worker will need them, so that handles are not open here for
    /// longer than they must.
    pub(super) attachments: Vec<Attachment>,
}

impl Job {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Keeps that many tasks, of which there are more, and gives the others.
    pub(super) fn split_off(&mut self, kept: usize) -> Self {
        let at = self.tasks.start + kept;
        let (bundle, tasks) = (Arc::clone(&self.bundle), at..self.tasks.end);
        let rest = Self { bundle, tasks, retries: self.retries, attachments: Vec::new() };
        self.tasks.end = at;
        rest
    }

    /// How many of its tasks have so many bytes together.
    pub(super) fn within(&self, bytes: usize) -> usize {
        let most = self.start().saturating_add(bytes);
        self.bundle.ends[self.tasks.clone()].partition_point(|&end| end <= most)
    }

    /// What the mailbox knows its first task by.
    #[cfg(feature = "engines")]
    pub(super) fn first(&self) -> u64 {
        self.bundle.first + self.tasks.start as u64
    }

    /// Gives it its inherited statics, before it is divided.
    #[cfg(feature = "engines")]
    pub(super) fn inherit(&mut self, values: &Arc<Values>) {
        if let Some(bundle) = Arc::get_mut(&mut self.bundle) {
            bundle.values = Arc::clone(values);
        }
    }

    fn start(&self) -> usize {
        self.tasks.start.checked_sub(1).map_or(0, |before| self.bundle.ends[before])
    }

    /// The arguments of its tasks, as they travel.
    pub(super) fn records(&self) -> &[u8] {
        let end = self.tasks.end.checked_sub(1).map_or(0, |last| self.bundle.ends[last]);
        &self.bundle.records[self.start()..end]
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        self.records().len() + self.bundle.blobs.iter().map(|blob| blob.len()).sum::<usize>()
    }

    /// All of its tasks are with this process now.
    pub(super) fn runs_in(&self, process: u32) {
        if let Some(spans) = self.bundle.spans.get(self.tasks.clone()) {
            spans.iter().for_each(|span| span.runs_in(process));
        }
    }

    /// The span of one of its tasks.
    #[cfg(feature = "tracing")]
    pub(super) fn span(&self, task: usize) -> Option<&Span> {
        self.bundle.spans.get(self.tasks.start + task)
    }

    /// The answers of its first tasks, which have ended with values.
    pub(super) fn end_with(&mut self, count: usize, content: Content) -> Delivery {
        let first = self.bundle.first + self.tasks.start as u64;
        if let Some(spans) = self.bundle.spans.get(self.tasks.start..self.tasks.start + count) {
            let error = if let Content::Failed(error) = &content { Some(error) } else { None };
            spans.iter().for_each(|span| span.ends(error));
        }
        self.tasks.start += count;
        Delivery { bundle: Arc::clone(&self.bundle), letter: Letter { first, count, content } }
    }

    /// The answer of its first task, which is this error; it is said to be of the entry.
    pub(super) fn end_with_error(&mut self, error: Error) -> Delivery {
        let error = error.in_entry(self.bundle.entry.name());
        self.end_with(1, Content::Failed(error))
    }

    /// The answers of all of its tasks, which have an error each.
    pub(super) fn fail(mut self, error: impl Fn() -> Error, to: &mut Vec<Delivery>) {
        while self.len() > 0 {
            to.push(self.end_with_error(error()));
        }
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("entry", &self.entry).field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::registry::Origin;

    static ENTRY: Entry = Entry::new(
        "entry",
        ("entry in a file", 1, 1),
        Origin { named: false, anonymous: false, tested: false, retries: 0 },
        |_| unreachable!(),
    );

    /// A job of tasks with so many bytes of arguments each, that many everywhere.
    pub(in crate::pool) fn job_of(lens: &[u8]) -> Job {
        let mut bundle = Bundle::new((&ENTRY, 0), (&Arc::default(), &Arc::default()), 100, 4);
        lens.iter().for_each(|&len| bundle.push(&vec![len; len.into()]));
        bundle.into_job(0)
    }

    #[test]
    fn a_job_is_divided_by_tasks_and_by_bytes() {
        let mut first = job_of(&[1, 2, 3, 200]);
        assert_eq!((first.len(), first.bytes()), (4, 2 + 3 + 4 + 202));
        assert_eq!([0, 4, 5, 9, 210, 211, 1000].map(|bytes| first.within(bytes)), [0, 1, 2, 3, 3, 4, 4]);
        let mut rest = first.split_off(1);
        assert_eq!((first.records(), rest.len(), rest.bytes()), (&[1, 1][..], 3, 209));
        assert_eq!([0, 7, 208, 209].map(|bytes| rest.within(bytes)), [0, 2, 2, 3]);
        let last = rest.split_off(2);
        assert_eq!((rest.records(), last.bytes()), (&[2, 2, 2, 3, 3, 3, 3][..], 202));
        let mut deliveries = Vec::new();
        rest.fail(|| Error::new(crate::error::ErrorKind::Closed, "x"), &mut deliveries);
        let numbers: Vec<u64> = deliveries.iter().map(|delivery| delivery.letter.first).collect();
        assert_eq!(numbers, [101, 102]);
    }
}
