//! What all measurements share: robust numbers from noisy machines.

use std::fmt;
use std::time::Duration;

/// Blocks of consecutive rounds that a ratio is also taken of, one by one: how far they differ says how far the
/// ratio of all rounds is to be trusted.
const BLOCKS: usize = 8;

/// Times of one thing, in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The value below which this share of the times lies.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        quantile(&self.0, share)
    }

    /// The median as a multiple of the other's, and the least and greatest multiple in any block of rounds.
    pub(crate) fn ratio_to(&self, floor: &Self) -> Ratio {
        let ratio = |ours: &[Duration], theirs: &[Duration]| {
            quantile(ours, 0.5).as_secs_f64() / quantile(theirs, 0.5).as_secs_f64()
        };
        let size = self.0.len().div_ceil(BLOCKS);
        let blocks: Vec<f64> =
            self.0.chunks(size).zip(floor.0.chunks(size)).map(|(ours, theirs)| ratio(ours, theirs)).collect();
        Ratio {
            median: ratio(&self.0, &floor.0),
            least: blocks.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: blocks.iter().copied().fold(0.0, f64::max),
        }
    }
}

/// See [`Times::ratio_to`].
#[derive(Debug)]
pub(crate) struct Ratio {
    median: f64,
    least: f64,
    greatest: f64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} [{:.3} to {:.3}]", self.median, self.least, self.greatest)
    }
}

fn quantile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// The first number on the command line, which is how often to measure. `cargo bench` adds words of its own.
pub(crate) fn rounds(default: usize) -> usize {
    std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(default)
}

/// What the numbers are to be read with: processors, and how many other things wanted one.
pub(crate) fn print_machine() {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cpus} processors, load {}", read("/proc/loadavg").trim_end());
}
