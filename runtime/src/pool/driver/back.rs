//! Tasks that a worker has and another one is to run, or nobody: they are taken back as long as they have not begun.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Driver, HoldUp, STUCK};
use crate::pool::job::Job;

impl Driver {
    /// Takes tasks back that have not begun, if one is not wanted any more; and whether one that was cancelled runs.
    pub(in crate::pool) fn cancel(&mut self) -> (Vec<Job>, bool) {
        if !self.flight.iter().any(|flying| flying.job.bundle.mailbox.is_unwanted()) {
            return (Vec::new(), false);
        }
        let jobs = self.take_back();
        (jobs, self.flight.iter().any(|flying| flying.job.bundle.mailbox.is_cancelled()))
    }

    /// What the first task does to those behind it.
    pub(in crate::pool) fn hold_up(&self, now: Instant) -> HoldUp {
        match &self.ring {
            Some(_) if self.open > 0 && self.running().is_none() => match self.runs_for(now) {
                since if since >= STUCK => HoldUp::Stuck,
                since => HoldUp::NotBegun(STUCK - since),
            },
            Some(_) if self.open > 1 => HoldUp::For(self.runs_for(now)),
            _ => HoldUp::None,
        }
    }

    /// It does not run: takes back what it has, and gives it nothing until it shows that it does.
    pub(in crate::pool) fn mute(&mut self, now: Instant) -> Vec<Job> {
        self.mute = Some(now);
        self.take_back()
    }

    pub(in crate::pool) fn is_mute(&self) -> bool {
        self.mute.is_some()
    }

    /// How long the first task has been the first.
    pub(in crate::pool) fn runs_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Takes all tasks back that have not begun.
    pub(in crate::pool) fn take_back(&mut self) -> Vec<Job> {
        let Some(ring) = &self.ring else { return Vec::new() };
        // The numbers are used up.
        let next = ring.take_back(self.next);
        let mut jobs = VecDeque::new();
        while let Some(mut flying) = self.flight.pop_back() {
            let kept = next.saturating_sub(flying.number).min(flying.job.len() as u64) as usize;
            match kept {
                0 => jobs.push_front(flying.job),
                _ => {
                    if kept < flying.job.len() {
                        jobs.push_front(flying.job.split_off(kept));
                    }
                    self.flight.push_back(flying);
                    break;
                }
            }
        }
        let count: usize = jobs.iter().map(Job::len).sum();
        self.open -= count;
        self.given -= count as u64;
        jobs.into()
    }
}
