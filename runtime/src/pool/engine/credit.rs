//! How many tasks a node is given.
//!
//! Enough to bridge the way there and back, and the time in which others use the processors: a node must not wait for its
//! next tasks. Not so many that much is lost with it; what waits while another node has nothing
//! to do is taken back.

use std::time::{Duration, Instant};

/// The work that a node is given ahead.
const AHEAD: Duration = Duration::from_millis(200);

/// Workers whose tasks take so long need none that wait: the way is short against them.
const LONG: Duration = Duration::from_millis(250);

/// The most that one worker of a node is given, whatever its tasks take.
const MOST: usize = 256 << 10;

/// How long the tasks of a node take, lately.
#[derive(Debug)]
pub(super) struct Credit {
    workers: usize,
    last: Instant,
    /// Nanoseconds between two answers of the node while it has enough to do; `None` before the first.
    each: Option<f64>,
}

impl Credit {
    pub(super) fn new(workers: usize) -> Self {
        Self { workers: workers.max(1), last: Instant::now(), each: None }
    }

    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// The node had nothing to do, and is given something.
    pub(super) fn begins(&mut self, now: Instant) {
        self.last = now;
    }

    /// So many answers have come since the last time.
    pub(super) fn answered(&mut self, count: usize, now: Instant) {
        let last = std::mem::replace(&mut self.last, now);
        let each = now.duration_since(last).as_nanos() as f64 / count.max(1) as f64;
        // Answers come in bunches: what a small one says is not much.
        let weight = (count as f64 / (4.0 * self.workers as f64)).clamp(0.25, 0.75);
        self.each = Some(self.each.map_or(each, |before| before * (1.0 - weight) + each * weight));
    }

    /// How long it takes until so many tasks have ended, if that goes on as it did.
    pub(super) fn time_for(&self, tasks: usize) -> Duration {
        Duration::from_nanos((self.each.unwrap_or(0.0) * tasks as f64) as u64)
    }

    /// There are so many workers now.
    pub(super) fn resize(&mut self, workers: usize) {
        self.workers = workers.max(1);
    }

    /// How many tasks one worker does in this time; one, before it is known.
    pub(super) fn tasks_in(&self, time: Duration, most: usize) -> usize {
        let Some(each) = self.each else { return 1 };
        let tasks = time.as_nanos() as f64 / (each * self.workers as f64).max(1.0);
        (tasks as usize).clamp(1, most)
    }

    /// How many tasks the node may have. As many as it has workers, before it is known how long they take.
    pub(super) fn depth(&self) -> usize {
        let Some(each) = self.each else { return self.workers };
        if each * self.workers as f64 >= LONG.as_nanos() as f64 {
            return self.workers;
        }
        let ahead = (AHEAD.as_nanos() as f64 / each.max(1.0)) as usize;
        ahead.clamp(self.workers.saturating_mul(2), self.workers.saturating_mul(MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tasks_get_no_credit_and_short_ones_much() {
        let after = |each: Duration| {
            let mut credit = Credit::new(4);
            let mut now = credit.last;
            for _ in 0..20 {
                now += each;
                credit.answered(1, now);
            }
            credit
        };
        let depth = |each: Duration| after(each).depth();
        assert_eq!(Credit::new(4).depth(), 4);
        assert_eq!(depth(Duration::from_secs(1)), 4);
        assert_eq!(depth(Duration::from_millis(20)), 10);
        assert_eq!(depth(Duration::from_micros(100)), 2000);
        assert_eq!(depth(Duration::from_nanos(1)), 4 * MOST);
        assert_eq!(after(Duration::from_millis(2)).time_for(10), Duration::from_millis(20));
        assert_eq!(Credit::new(4).time_for(10), Duration::ZERO);
    }
}
