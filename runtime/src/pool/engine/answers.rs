//! The tasks that a node has, by the numbers under which it knows them, and what becomes of them when it answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::texts;
use crate::error::Error;
use crate::handle;
#[cfg(feature = "tracing")]
use crate::link;
use crate::link::{Answer, Answers, Frame};
use crate::pool::common::Common;
use crate::pool::job::Job;
use crate::pool::letters::{Content, Deliveries};
use crate::registry::Entry;
#[cfg(feature = "tracing")]
use crate::trace::{Event, Span};
use crate::wire::node::{NodeRun, ValuesHead, decode_lost, decode_values};
use crate::wire::{AnswerHead, Blob, EntryHead, NodeKind, RunHead, TaskRecord};

/// The tasks of a node.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// By the number of the first task of each. Answers come in any order, and divide them.
    runs: BTreeMap<u64, Flying>,
    next: u64,
    open: usize,
    /// The entries that the node was told of, by their addresses.
    entries: HashMap<usize, u32>,
}

#[derive(Debug)]
struct Flying {
    job: Job,
    /// The node was told that they are to be stopped, and that they need not begin.
    told: [bool; 2],
}

/// Where answers come from, and what they concern.
pub(super) struct From<'a> {
    pub(super) common: &'a Common,
    pub(super) node: &'a str,
}

impl Flight {
    pub(super) fn len(&self) -> usize {
        self.open
    }

    /// Takes tasks in, and gives the part of a frame that tells the node of them.
    pub(super) fn board(&mut self, jobs: Vec<Job>, process: u32) -> (Vec<u8>, Vec<Arc<Blob>>) {
        let mut bytes = Vec::with_capacity(jobs.iter().map(|job| job.records().len() + 64).sum());
        let mut blobs = Vec::new();
        for job in jobs {
            job.runs_in(process);
            let bundle = &job.bundle;
            let (entry, new) = self.entry(bundle.entry, bundle.index);
            let run = RunHead { entry, new, count: job.len() as u32, blobs: bundle.blobs.len() as u16 };
            let timeout = bundle.timeout.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            NodeRun { number: self.next, timeout, run }.encode(job.records(), &mut bytes);
            blobs.extend(bundle.blobs.iter().map(Arc::clone));
            let (number, count) = (self.next, job.len());
            self.next += count as u64;
            self.open += count;
            self.runs.insert(number, Flying { job, told: [false; 2] });
        }
        (bytes, blobs)
    }

    fn entry(&mut self, entry: &'static Entry, index: u32) -> (u32, Option<EntryHead<'static>>) {
        let (known, address) = (self.entries.len() as u32, std::ptr::from_ref(entry) as usize);
        match self.entries.get(&address) {
            Some(&number) => (number, None),
            None => {
                self.entries.insert(address, known);
                (known, Some(EntryHead { index, position: entry.position(), name: entry.name() }))
            }
        }
    }

    /// The job of a task, and how many of its tasks are before that.
    pub(super) fn find(&self, number: u64) -> Option<(&Job, usize)> {
        let (first, Flying { job, .. }) = self.runs.range(..=number).next_back()?;
        let before = usize::try_from(number - first).ok().filter(|&before| before < job.len())?;
        Some((job, before))
    }

    /// Takes so many tasks out, which are of one job.
    pub(super) fn take(&mut self, number: u64, count: usize) -> Option<Job> {
        let (job, before) = self.find(number)?;
        if count == 0 || count > job.len() - before {
            return None;
        }
        let first = number - before as u64;
        let Flying { mut job, told } = self.runs.remove(&first)?;
        if before > 0 {
            let rest = job.split_off(before);
            self.runs.insert(first, Flying { job: std::mem::replace(&mut job, rest), told });
        }
        if count < job.len() {
            let behind = job.split_off(count);
            self.runs.insert(number + count as u64, Flying { job: behind, told });
        }
        self.open -= count;
        Some(job)
    }

    /// So many tasks, which are of one job, have ended so.
    pub(super) fn end(
        &mut self,
        number: u64,
        count: usize,
        content: Content,
        deliveries: &mut Deliveries,
    ) -> Option<()> {
        let mut job = self.take(number, count)?;
        deliveries.push(match content {
            Content::Failed(error) => job.end_with_error(error),
            content => job.end_with(count, content),
        });
        Some(())
    }

    /// Takes answers. Gives the tasks that are to run again. `None` if the frame is none, or answers what was not asked.
    pub(super) fn accept(
        &mut self,
        kind: NodeKind,
        frame: Frame,
        from: &From<'_>,
        deliveries: &mut Deliveries,
    ) -> Option<Vec<Job>> {
        match kind {
            NodeKind::Lost => return self.accept_lost(frame, from, deliveries),
            NodeKind::Long => self.accept_long(frame, deliveries)?,
            _ => self.accept_short(&frame.items, deliveries)?,
        }
        Some(Vec::new())
    }

    fn accept_short(&mut self, bytes: &[u8], deliveries: &mut Deliveries) -> Option<()> {
        let (heads, records) = decode_values(bytes)?;
        let (mut answers, mut runs, mut records) = (Answers::none(), Vec::new(), &records[..]);
        for head in heads {
            let mut at = None;
            for task in 0..head.count {
                let (TaskRecord(body), rest) = TaskRecord::decode(records)?;
                records = rest;
                let place = answers.push(Answer { task: head.first.wrapping_add(task) as u32, failed: false, body });
                at.get_or_insert(place);
            }
            runs.push((head, at?));
        }
        if !records.is_empty() {
            return None;
        }
        let answers = Arc::new(answers);
        for (ValuesHead { first, count }, at) in runs {
            // What was one run for the node may be several here, where some have been answered before.
            let entry = self.find(first)?.0.bundle.entry;
            let content = Content::Values { entry, answers: Arc::clone(&answers), at };
            self.end(first, usize::try_from(count).ok()?, content, deliveries)?;
        }
        Some(())
    }

    fn accept_long(&mut self, frame: Frame, deliveries: &mut Deliveries) -> Option<()> {
        let (head, body) = AnswerHead::decode(&frame.items)?;
        let content = match head.failed {
            true => Content::Failed(handle::failure(body, frame.blobs)),
            false => {
                let entry = self.find(head.task)?.0.bundle.entry;
                Content::Long {
                    entry,
                    items: frame.items,
                    start: AnswerHead::LEN,
                    blobs: frame.blobs,
                    attachments: Vec::new(),
                }
            }
        };
        self.end(head.task, 1, content, deliveries)
    }

    fn accept_lost(&mut self, frame: Frame, from: &From<'_>, deliveries: &mut Deliveries) -> Option<Vec<Job>> {
        let (number, body) = decode_lost(&frame.items)?;
        let mut job = self.take(number, 1)?;
        if job.retries > 0 && !job.bundle.mailbox.is_unwanted() {
            job.retries -= 1;
            return Some(vec![job]);
        }
        let error: Error = handle::failure(body, frame.blobs);
        let note = texts::worker_lost(from.node, from.common.attempt(&job));
        deliveries.push(job.end_with_error(error.with_note(&note)));
        Some(Vec::new())
    }

    /// An event, and the span that it belongs to. `None` if it is none.
    #[cfg(feature = "tracing")]
    pub(super) fn event(&self, frame: &Frame) -> Option<(Span, Event)> {
        let (task, event) = link::event(frame)?;
        let span = task.and_then(|task| self.find(task)).and_then(|(job, before)| job.span(before)).cloned();
        Some((span.unwrap_or_else(Span::none), event))
    }

    /// The numbers of runs of tasks that are to be stopped, and of those that need not begin, each once.
    pub(super) fn newly_unwanted(&mut self) -> [Vec<u64>; 2] {
        let mut numbers = [Vec::new(), Vec::new()];
        for (&number, Flying { job, told }) in &mut self.runs {
            let mailbox = &job.bundle.mailbox;
            let which = match (mailbox.is_cancelled(), mailbox.is_unwanted()) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => continue,
            };
            if !std::mem::replace(&mut told[which], true) {
                numbers[which].push(number);
            }
        }
        numbers
    }

    /// The number that the next task is given: that of the first one that has not been taken in.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The next tasks are for somebody who was told of no entry.
    pub(super) fn forget_entries(&mut self) {
        self.entries.clear();
    }

    /// Takes out the tasks that [`newly_unwanted`](Self::newly_unwanted) has given the number of.
    pub(super) fn take_run(&mut self, number: u64) -> Option<Job> {
        let count = self.runs.get(&number)?.job.len();
        self.take(number, count)
    }

    /// All that the node had, each with the number of its first task.
    pub(super) fn disembark(&mut self) -> Vec<(u64, Job)> {
        self.open = 0;
        std::mem::take(&mut self.runs).into_iter().map(|(number, flying)| (number, flying.job)).collect()
    }
}
