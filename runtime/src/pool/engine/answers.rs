//! The tasks that a node has, by the numbers under which it knows them, and what becomes of them when it answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::texts;
use crate::error::Error;
use crate::handle;
use crate::link::{Answers, Frame};
use crate::pool::common::Common;
use crate::pool::job::Job;
use crate::pool::letters::{Content, Deliveries};
use crate::registry::Entry;
use crate::wire::node::{NodeRun, decode_lost};
use crate::wire::{AnswerHead, Blob, EntryHead, NodeKind, RunHead};

/// An answer says the lower half of a number. That is enough for as long as those that the node has are not so far apart.
const FARTHEST: u64 = 1 << 31;

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

    /// Whether another task would be too far from one that has not ended for very long.
    pub(super) fn is_stretched(&self) -> bool {
        self.runs.first_key_value().is_some_and(|(first, _)| self.next - first >= FARTHEST)
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
    fn find(&self, number: u64) -> Option<(&Job, usize)> {
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
    fn end(&mut self, number: u64, count: usize, content: Content, deliveries: &mut Deliveries) -> Option<()> {
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
            _ => self.accept_short(&Arc::new(Answers::of_bytes(&frame.items)?), deliveries)?,
        }
        Some(Vec::new())
    }

    fn accept_short(&mut self, answers: &Arc<Answers>, deliveries: &mut Deliveries) -> Option<()> {
        let mut at = 0;
        while !answers.is_end(at) {
            let (answer, next) = answers.get(at)?;
            let number = self.number_of(answer.task)?;
            if answer.failed {
                let error = handle::failure(answer.body, Vec::new());
                self.end(number, 1, Content::Failed(error), deliveries)?;
                at = next;
                continue;
            }
            let (job, before) = self.find(number)?;
            let (entry, most) = (job.bundle.entry, job.len() - before);
            let (count, next) = values_from(number, most, answers, next);
            self.end(number, count, Content::Values { entry, answers: Arc::clone(answers), at }, deliveries)?;
            at = next;
        }
        Some(())
    }

    fn accept_long(&mut self, frame: Frame, deliveries: &mut Deliveries) -> Option<()> {
        let (head, body) = AnswerHead::decode(&frame.items)?;
        let content = match head.failed {
            true => Content::Failed(handle::failure(body, frame.blobs)),
            false => {
                let entry = self.find(head.task)?.0.bundle.entry;
                Content::Long { entry, items: frame.items, start: AnswerHead::LEN, blobs: frame.blobs }
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

    /// The number of a task that the node has, of which it says the lower half.
    fn number_of(&self, half: u32) -> Option<u64> {
        let first = *self.runs.first_key_value()?.0;
        Some(first + u64::from(half.wrapping_sub(first as u32)))
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

    /// All that the node had.
    pub(super) fn disembark(&mut self) -> Vec<Job> {
        self.open = 0;
        std::mem::take(&mut self.runs).into_values().map(|flying| flying.job).collect()
    }
}

/// How many answers, of which the first is a value and ends at `next`, are for tasks that follow each other, at most so
/// many, and are values as well; and where the others begin.
fn values_from(number: u64, most: usize, answers: &Answers, mut next: usize) -> (usize, usize) {
    let mut count = 1;
    while count < most {
        match answers.get(next) {
            Some((answer, after)) if !answer.failed && answer.task == (number as u32).wrapping_add(count as u32) => {
                count += 1;
                next = after;
            }
            _ => break,
        }
    }
    (count, next)
}
