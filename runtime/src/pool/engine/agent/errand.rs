//! A parcel that an agent behind a queue runs, and the answers to it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use super::Find;
use super::jobs::{Destination, read_jobs};
use super::local::Local;
use super::numbers::numbers_of;
use super::shorts::{ROOM, Shorts};
use super::streams::{Runs, is_loss};
use crate::error::{Error, ErrorKind};
use crate::link::Outbox;
use crate::pool::common::Fault;
use crate::pool::engine::parcel::{bytes_of, failure_within};
use crate::pool::engine::texts;
use crate::pool::job::Job;
use crate::pool::letters::{Content, Letter};
use crate::pool::mailbox::{Mailbox, Until};
use crate::wire::node::encode_numbers;
use crate::wire::{AnswerHead, Blob, Kind, NodeKind, Packed};

/// A parcel that is being run. Dropping it stops what runs.
pub struct Errand {
    local: Option<Arc<Local>>,
    node: String,
    largest: usize,
    /// Which attempt this is.
    attempt: u32,
    /// A task whose worker dies may be tried again.
    may_repeat: bool,
    mailbox: Arc<Mailbox>,
    runs: Runs,
    /// Tasks without an answer, all of which are in the pool.
    open: usize,
    /// Tasks whose workers have died, and that are to be tried again.
    lost: usize,
    /// Answers that have not been asked for.
    ready: Vec<Vec<u8>>,
    is_broken: bool,
    /// Why some have not begun.
    unstarted: Option<Error>,
}

impl Errand {
    /// One that was tried so many times before, and may be so many times again.
    pub(super) fn new(node: &str, largest: usize, attempts: u32, retries: u32) -> Self {
        Self {
            local: None,
            node: node.to_owned(),
            largest,
            attempt: attempts + 1,
            may_repeat: attempts < retries,
            mailbox: Arc::default(),
            runs: Runs::default(),
            open: 0,
            lost: 0,
            ready: Vec::new(),
            is_broken: false,
            unstarted: None,
        }
    }

    /// Reads the tasks, and refuses those of entries that are not here. `None` if they cannot be read, or are others than
    /// the parcel should have.
    pub(super) fn read(
        &mut self,
        runs: &[u8],
        blobs: Vec<Vec<u8>>,
        tasks: &Range<u64>,
        answered: &BTreeSet<u64>,
        find: Find,
    ) -> Option<Vec<Job>> {
        let mut refused = Vec::new();
        let to = Destination { mailbox: &self.mailbox, values: &Arc::default(), runs: &self.runs };
        // What becomes of those whose worker dies is for whoever counts the attempts.
        let jobs =
            read_jobs(runs, blobs, &mut Vec::new(), &to, 0, find, |number, error| refused.push((number, error)))?;
        let is_one = |numbers: Range<u64>| tasks.start <= numbers.start && numbers.end <= tasks.end;
        let is_own = jobs.iter().all(|job| is_one(numbers_of(job))) && refused.iter().all(|&(n, _)| is_one(n..n + 1));
        let count = jobs.iter().map(Job::len).sum::<usize>() + refused.len();
        if !is_own || count as u64 > tasks.end - tasks.start {
            return None;
        }
        for (number, error) in refused {
            if !answered.contains(&number) {
                self.refuse(number, &error);
            }
        }
        Some(jobs)
    }

    /// Gives its tasks to a pool.
    pub(super) fn submit(&mut self, mut jobs: Vec<Job>, to: Arc<Local>) {
        self.open = jobs.iter().map(Job::len).sum();
        let is_refused = to.pool.common.submit(&mut jobs).is_err();
        self.local = Some(to);
        if is_refused {
            self.breaks();
        }
    }

    /// There is no pool for its tasks here.
    pub(super) fn cannot_start(&mut self, error: Error) {
        self.unstarted = Some(error);
    }

    /// How many of its tasks have no answer yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Answers, as soon as there are some; none when there will be none any more.
    pub fn poll_answers(&mut self, context: &mut Context<'_>) -> Poll<Vec<Vec<u8>>> {
        loop {
            if !self.ready.is_empty() || self.open == 0 {
                return Poll::Ready(std::mem::take(&mut self.ready));
            }
            let Some(letter) = self.mailbox.poll(context.waker()) else { return Poll::Pending };
            let mut letters = vec![letter];
            self.mailbox.collect(&mut letters, Until::Now);
            self.answer(letters);
        }
    }

    fn answer(&mut self, letters: Vec<Letter>) {
        let broken = self.local.as_ref().and_then(|local| local.pool.common.broken()).map(|(error, _)| error);
        let mut shorts = Shorts::of_at_most(self.largest);
        for Letter { first, count, content } in letters {
            self.runs.ended(first, count);
            self.open = self.open.saturating_sub(count);
            match content {
                Content::Values { entry, answers, mut at } => {
                    for number in (first..).take(count) {
                        let (answer, next) = answers.get(at).expect("it was there when the letter was written");
                        at = next;
                        if answer.body.len() + ROOM > self.largest {
                            let error = texts::result_too_large(answer.body.len() + ROOM, self.largest);
                            self.refuse(number, &error.in_entry(entry.name()));
                        } else if let Some(full) = shorts.push(number, answer.body) {
                            self.send_items(NodeKind::Answers, full);
                        }
                    }
                }
                Content::Long { entry, attachments, .. } if !attachments.is_empty() => {
                    self.refuse(first, &texts::result_not_carried().in_entry(entry.name()));
                }
                Content::Long { entry, items, start, blobs, .. } => {
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    let packed = Packed { items: items[start..].to_vec(), blobs, ..Packed::default() };
                    let head = AnswerHead { task: first, failed: false }.encode();
                    let frame = Outbox::new(Kind::Node(NodeKind::Long), &head, packed);
                    match frame.len() {
                        len if len > self.largest => {
                            let error = texts::result_too_large(len, self.largest).in_entry(entry.name());
                            self.refuse(first, &error);
                        }
                        _ => self.ready.push(bytes_of(frame)),
                    }
                }
                Content::Failed(error) if broken.as_ref().is_some_and(|broken| error.is_copy_of(broken)) => {
                    self.is_broken = true;
                }
                Content::Failed(error) if is_loss(&error) && self.may_repeat => self.lost += 1,
                Content::Failed(error) if is_loss(&error) => {
                    let note = texts::worker_lost(&self.node, self.attempt);
                    self.refuse(first, &error.with_note(&note));
                }
                Content::Failed(error) => self.refuse(first, &error),
            }
        }
        if let Some(last) = shorts.finish() {
            self.send_items(NodeKind::Answers, last);
        }
        if self.is_broken && self.open == 0 {
            self.breaks();
        }
    }

    /// The pool's workers cannot begin, and the rest of the parcel has not run.
    fn breaks(&mut self) {
        self.open = 0;
        let Some(local) = &self.local else { return };
        let closed = || (Error::new(ErrorKind::Closed, "the agent ends"), Fault::Start);
        let (error, fault) = local.pool.common.broken().unwrap_or_else(closed);
        let value = local.failed_value.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.ready.push(bytes_of(match (fault, value) {
            (Fault::Start, _) => {
                self.unstarted = Some(error);
                return;
            }
            (Fault::Own, Some((items, blobs))) => {
                let blobs = blobs.into_iter().map(Blob::from).collect();
                let frame = Outbox::new(Kind::Value, &[], Packed { items, blobs, ..Packed::default() });
                match frame.len() {
                    len if len > self.largest => {
                        let error = error.with_note(&texts::value_too_large(len, self.largest));
                        failure_within(self.largest, Kind::Failure, &[], &error)
                    }
                    _ => frame,
                }
            }
            (Fault::Own, None) => failure_within(self.largest, Kind::Failure, &[], &error),
        }));
    }

    /// Why some of its tasks have not begun, once there are no more answers: no worker can be started here. That is no
    /// answer, as another agent may be able to.
    pub fn take_unstarted(&mut self) -> Option<Error> {
        self.unstarted.take()
    }

    /// Whether some of its tasks are to be tried again, once there are no more answers: their workers have died.
    #[must_use]
    pub fn has_lost_some(&self) -> bool {
        self.lost > 0
    }

    /// Whether that can come to be.
    #[must_use]
    pub fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    fn send_items(&mut self, kind: NodeKind, items: Vec<u8>) {
        self.ready.push(bytes_of(Outbox::new(Kind::Node(kind), &[], Packed { items, ..Packed::default() })));
    }

    /// Nothing of it has run, or will.
    pub(super) fn refuse_all(&mut self, jobs: &[Job], answered: &BTreeSet<u64>, error: &Error) {
        for job in jobs {
            let error = error.copy().in_entry(job.bundle.entry.name());
            numbers_of(job).filter(|number| !answered.contains(number)).for_each(|number| self.refuse(number, &error));
        }
    }

    fn refuse(&mut self, number: u64, error: &Error) {
        let head = AnswerHead { task: number, failed: true }.encode();
        self.ready.push(bytes_of(failure_within(self.largest, Kind::Node(NodeKind::Long), &head, error)));
    }

    /// Gives back what waits behind something else, so that another agent can run it. The answers say so. Whether there was
    /// any.
    pub fn hand_back(&mut self) -> bool {
        let Some(local) = &self.local else { return false };
        // Workers that have never worked are about to begin, or cannot, which the answers are to say.
        let figures = local.pool.figures();
        if figures.done == 0 && figures.running < figures.workers.max(1) {
            return false;
        }
        let jobs = local.pool.common.yield_those(|job| self.runs.has(&job.bundle.mailbox));
        if jobs.is_empty() {
            return false;
        }
        let numbers: Vec<u64> = jobs.iter().flat_map(|job| [job.first(), job.len() as u64]).collect();
        self.open -= jobs.iter().map(Job::len).sum::<usize>();
        jobs.iter().for_each(|job| self.runs.ended(job.first(), job.len()));
        // Two for each run.
        let most = (self.largest.saturating_sub(ROOM) / size_of::<[u64; 2]>()).max(1) * 2;
        numbers.chunks(most).for_each(|numbers| self.send_items(NodeKind::Yielded, encode_numbers(numbers)));
        true
    }

    /// These tasks need not begin; and are stopped, if it `kills`.
    pub fn stop(&self, tasks: &[u64], kills: bool) {
        tasks.iter().for_each(|&number| self.runs.stop(number, kills));
        self.look();
    }

    /// None of the tasks is wanted any more.
    pub fn stop_all(&self) {
        self.runs.stop_all();
        self.look();
    }

    fn look(&self) {
        if let Some(local) = &self.local {
            let common = &local.pool.common;
            common.withdraw_unwanted();
            common.cancellations.fetch_add(1, Ordering::AcqRel);
            common.wake_all();
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if self.open > 0 {
            self.stop_all();
        }
        if let Some(local) = &self.local {
            local.touch();
        }
    }
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Errand").field("open", &self.open).finish_non_exhaustive()
    }
}
