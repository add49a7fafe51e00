//! The tasks that a node has, by the numbers under which it knows them, and what becomes of each when it answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::texts;
use crate::handle;
use crate::link::Frame;
use crate::pool::common::Common;
use crate::pool::mailbox::{Deliveries, Job, Reply};
use crate::registry::Entry;
use crate::wire::node::{JobHead, NodeAnswer, Outcome};
use crate::wire::{Blob, EntryHead, TaskHead};

/// The tasks of a node.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// A number is a place in here, and how often it was used before: 32 bits each.
    places: Vec<Place>,
    free: Vec<u32>,
    open: usize,
    /// The entries that the node was told of, by their addresses.
    entries: HashMap<usize, u32>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    job: Option<Job>,
    /// The node was told that it need not begin, and that it is to be stopped.
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
        let mut bytes = Vec::with_capacity(jobs.iter().map(|job| job.items.len() + 32).sum());
        let mut blobs = Vec::new();
        for job in jobs {
            job.span.runs_in(process);
            let (entry, new) = self.entry(job.entry, job.index);
            let task = TaskHead { entry, new, blobs: job.blobs.len() as u16 };
            let timeout = job.timeout.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            let at = self.free.pop().unwrap_or_else(|| {
                self.places.push(Place::default());
                self.places.len() as u32 - 1
            });
            let place = &mut self.places[at as usize];
            place.told = [false; 2];
            JobHead { number: u64::from(place.uses) << 32 | u64::from(at), timeout, task }
                .encode(&job.items, &mut bytes);
            blobs.extend(job.blobs.iter().map(Arc::clone));
            place.job = Some(job);
            self.open += 1;
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

    /// The task of this number, which the node has no more.
    pub(super) fn take(&mut self, number: u64) -> Option<Job> {
        let (uses, at) = ((number >> 32) as u32, number as u32);
        let place = self.places.get_mut(at as usize).filter(|place| place.uses == uses)?;
        let job = place.job.take()?;
        place.uses = place.uses.wrapping_add(1);
        self.free.push(at);
        self.open -= 1;
        Some(job)
    }

    /// Takes answers, and counts them. Gives the tasks that are to run again. `None` if the frame is none, or answers what
    /// was not asked.
    pub(super) fn accept(
        &mut self,
        frame: Frame,
        from: &From<'_>,
        deliveries: &mut Deliveries,
    ) -> Option<(u64, Vec<Job>)> {
        let (bytes, mut blobs) = (Arc::new(frame.items), frame.blobs.into_iter());
        let (mut at, mut count, mut again) = (0, 0, Vec::new());
        while at < bytes.len() {
            let answer = NodeAnswer::decode(&bytes, at)?;
            at = answer.end();
            count += 1;
            let own: Vec<Vec<u8>> = blobs.by_ref().take(answer.blobs.into()).collect();
            let mut job = self.take(answer.number)?;
            let body = &bytes[answer.start..answer.end()];
            match answer.outcome {
                Outcome::Value => {
                    // Beyond 4 GiB there is one answer only, with all that follows its start.
                    let end = u32::try_from(answer.end()).unwrap_or(u32::MAX);
                    let part = (u32::try_from(answer.start).ok()?, end);
                    let reply = Reply { entry: job.entry, bytes: Arc::clone(&bytes), part, blobs: own.into() };
                    deliveries.push(job.ends_with(Ok(reply)));
                }
                Outcome::Lost if job.retries > 0 && !job.is_unwanted() => {
                    job.retries -= 1;
                    again.push(job);
                }
                Outcome::Lost => {
                    let lost = texts::worker_lost(from.node, from.common.attempt(&job));
                    deliveries.push(job.fails(handle::failure(body, own).with_note(&lost)));
                }
                Outcome::Error => {
                    let error = handle::failure(body, own).in_entry(job.entry.name());
                    deliveries.push(job.ends_with(Err(error)));
                }
            }
        }
        Some((count, again))
    }

    /// The numbers of tasks that are to be stopped, and of those that need not begin, each once.
    pub(super) fn newly_unwanted(&mut self) -> [Vec<u64>; 2] {
        let mut numbers = [Vec::new(), Vec::new()];
        for (at, place) in (0_u64..).zip(&mut self.places) {
            let Some(job) = &place.job else { continue };
            let which = match (job.is_cancelled(), job.is_unwanted()) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => continue,
            };
            if !std::mem::replace(&mut place.told[which], true) {
                numbers[which].push(u64::from(place.uses) << 32 | at);
            }
        }
        numbers
    }

    /// All that the node had.
    pub(super) fn disembark(&mut self) -> Vec<Job> {
        self.open = 0;
        self.places.drain(..).filter_map(|place| place.job).collect()
    }
}
