//! What a pool is asked because its workers may be on other machines, or work for a pool that is.

#[cfg(feature = "engines")]
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Common, Seat, State};
#[cfg(feature = "engines")]
use super::{Fault, Stage};
#[cfg(feature = "engines")]
use crate::child::complain;
#[cfg(feature = "engines")]
use crate::error::Error;
#[cfg(feature = "engines")]
use crate::pool::job::Job;
use crate::registry::Entry;

impl Common {
    /// How many tasks can run at a time.
    pub(in crate::pool) fn width(&self) -> usize {
        self.state().seats.iter().map(|seat| seat.width.load(Ordering::Acquire)).sum()
    }

    /// How long it takes until an answer is there, besides what tasks take, at most if all is well: what is handed out
    /// ahead must bridge it.
    pub(in crate::pool) fn latency(&self) -> Duration {
        #[cfg(feature = "engines")]
        if self.settings.is_on_nodes {
            return Duration::from_millis(500);
        }
        Duration::from_millis(10)
    }

    /// Whether its workers are nobody's children here.
    pub(in crate::pool) fn is_on_queue(&self) -> bool {
        #[cfg(feature = "engines")]
        if self.settings.is_on_queue {
            return true;
        }
        false
    }

    /// How many of the waiting tasks a worker, or a node, may take.
    pub(super) fn share(&self, state: &State, most: usize, open: usize, seat: &Seat) -> usize {
        #[cfg(feature = "engines")]
        if self.settings.is_on_nodes {
            return state.share_of_node(most, open, seat);
        }
        state.share(most, open, seat)
    }

    /// How far ahead tasks go for each worker at most, if it is so far on this machine.
    pub(in crate::pool) fn farthest(&self, here: usize) -> usize {
        #[cfg(feature = "engines")]
        if self.settings.is_on_nodes {
            return here * 32;
        }
        here
    }

    /// How often a task of this entry may run again whose worker, or node, has vanished.
    pub(in crate::pool) fn retries(&self, entry: &Entry) -> u32 {
        self.settings.retries.max(entry.retries())
    }
}

/// The least part of what a node may have that goes there in one frame, as long as there is so much.
#[cfg(feature = "engines")]
const LEAST_PART: usize = 64;

#[cfg(feature = "engines")]
impl State {
    /// How many of the waiting tasks a node may take: as large a part of them as it has of all workers, so that all nodes
    /// end at the same time, and nothing from workers of others that have nothing to do.
    pub(super) fn share_of_node(&self, most: usize, open: usize, seat: &Seat) -> usize {
        let width = |seat: &Seat| seat.width.load(Ordering::Acquire).max(1);
        let others = || self.seats.iter().filter(|other| !std::ptr::eq(&***other, seat) && other.is_at_work());
        let all = width(seat) + others().map(|other| width(other)).sum::<usize>();
        let part = self.waiting.saturating_mul(width(seat)).div_ceil(all).max(most / LEAST_PART);
        // Whoever was woken and has not taken anything yet is as free as before.
        let for_others: usize =
            others().map(|other| width(other).saturating_sub(other.tasks.load(Ordering::Acquire))).sum();
        let own = width(seat).saturating_sub(open);
        most.min(part.max(own)).min(self.waiting.saturating_sub(for_others).max(own.min(self.waiting)))
    }
}

#[cfg(feature = "engines")]
impl Common {
    /// How often the task has been begun, or may have been.
    pub(in crate::pool) fn attempt(&self, job: &Job) -> u32 {
        1 + self.retries(job.bundle.entry).saturating_sub(job.retries)
    }

    /// The node of this seat is not started any more. Without any the pool takes no more tasks; `error` says why, for the
    /// last one and for one among others.
    pub(in crate::pool) fn give_up(&self, seat: &Seat, error: impl FnOnce(bool) -> Error) {
        let mut state = self.state();
        state.seats.retain(|other| !std::ptr::eq(&**other, seat));
        if !state.seats.is_empty() || !matches!(state.stage, Stage::Open | Stage::Closed) {
            drop(state);
            complain(format_args!("a pool goes on without one of its nodes: {}", error(false)));
            return;
        }
        let error = error(true);
        let jobs = state.empty();
        state.stage = Stage::Broken(error.copy(), Fault::Start);
        drop(state);
        self.fail(jobs, || error.copy());
    }

    /// Whether tasks wait that no worker has yet.
    pub(in crate::pool) fn has_waiting(&self) -> bool {
        self.state().waiting > 0
    }

    /// Why no worker can begin, if none can.
    pub(in crate::pool) fn broken(&self) -> Option<(Error, Fault)> {
        match &self.state().stage {
            Stage::Broken(error, fault) => Some((error.copy(), *fault)),
            _ => None,
        }
    }

    /// Gives those away that have not been given to a worker.
    pub(in crate::pool) fn yield_those(&self, is_meant: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut state = self.state();
        let (gone, kept): (VecDeque<Job>, _) = std::mem::take(&mut state.queue).into_iter().partition(is_meant);
        state.queue = kept;
        let count: usize = gone.iter().map(Job::len).sum();
        state.waiting -= count;
        self.open.fetch_sub(count, Ordering::AcqRel);
        gone.into()
    }

    /// Gives up to so many tasks away that have not been given to a worker, those that have come last.
    pub(in crate::pool) fn yield_last(&self, most: usize) -> Vec<Job> {
        let mut state = self.state();
        let (mut jobs, mut left) = (Vec::new(), most);
        while left > 0 {
            let Some(mut job) = state.queue.pop_back() else { break };
            state.waiting -= job.len();
            if job.len() > left {
                let rest = job.split_off(job.len() - left);
                state.enqueue(std::mem::replace(&mut job, rest));
            }
            left -= job.len();
            jobs.push(job);
        }
        self.open.fetch_sub(most - left, Ordering::AcqRel);
        jobs
    }
}
