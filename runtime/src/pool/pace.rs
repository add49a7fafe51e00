//! How many tasks a worker is given ahead.
//!
//! A task that takes a microsecond takes less than a system call: many must travel together, and be there before the
//! worker has run out of them. A task that takes long must not be given to a worker that is busy while another is not;
//! one may wait, so that the worker need not wait for the next.

use std::time::{Duration, Instant};

/// The work that a worker is given ahead. It rings half way through it, which wakes this process, which takes a processor from
/// a worker where there are no more processors than workers. What has not begun can be taken back at any time.
const AHEAD: Duration = Duration::from_millis(4);

/// The most that a worker is given, whatever they take; and how many of those that are not long, so that it need not wait
/// for the next.
const MOST: usize = 4096;
const LEAST: usize = 2;

/// A task that takes so long is not worth one that waits behind it.
pub(super) const LONG: Duration = Duration::from_millis(4);

/// How long the tasks of a worker take, lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last answers came, or the first tasks were given.
    last: Option<Instant>,
    /// Nanoseconds for a task; `None` before the first answer.
    each: Option<f64>,
}

impl Pace {
    /// The worker had nothing to do, and is given something.
    pub(super) fn begins(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// So many answers have come since the last time.
    pub(super) fn answered(&mut self, count: usize, now: Instant) {
        let Some(last) = self.last.replace(now) else { return };
        let each = now.duration_since(last).as_nanos() as f64 / count as f64;
        // Longer ones count at once: what was given ahead must not wait for them.
        self.each = Some(match self.each {
            Some(before) if each < before => before * 0.75 + each * 0.25,
            _ => each,
        });
    }

    /// How many tasks the worker may have.
    pub(super) fn depth(&self) -> usize {
        match self.each {
            None => LEAST,
            Some(each) if each >= LONG.as_nanos() as f64 => 1,
            Some(each) => ((AHEAD.as_nanos() as f64 / each.max(1.0)) as usize).clamp(LEAST, MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth_of(tasks: &[(usize, Duration)]) -> usize {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        pace.begins(now);
        for &(count, time) in tasks {
            now += time;
            pace.answered(count, now);
        }
        pace.depth()
    }

    #[test]
    fn short_tasks_are_given_in_great_numbers_and_long_ones_are_not() {
        assert_eq!(depth_of(&[]), 2);
        assert_eq!(depth_of(&[(1, Duration::from_millis(3))]), 2);
        assert_eq!(depth_of(&[(1, Duration::from_millis(10))]), 1);
        assert!(depth_of(&[(1, Duration::from_micros(1)); 4]) >= 900);
        assert_eq!(depth_of(&[(1, Duration::from_nanos(1))]), MOST);
        // One long task among short ones.
        assert_eq!(depth_of(&[(100, Duration::from_micros(100)), (1, Duration::from_millis(2))]), 2);
    }
}
