//! What every contestant does, and the line-by-line protocol in which it is asked to: one process for each contestant,
//! which measures itself. The scripts in `scripts/` speak the same.
//!
//! | asked | done | answered |
//! |---|---|---|
//! | `heap GIB` | that much memory is touched and kept | `0` |
//! | `start N` | N processes, one after another, each adds one to a number | ns |
//! | `burst N` | the same, eight at a time | ns |
//! | `pool US N` | N tasks of so many microseconds, on two workers that are there | ns |
//! | `trip N` | N empty tasks one after another, on a worker that is there | ns |
//! | `bytes LEN N`, `floats LEN N` | N values of that many bytes, there and back; on a worker if there are workers | ns |
//! | `idle` | what each idle worker costs: its share of all memory | bytes |
//!
//! `-` is the answer of a contestant that cannot.

use std::collections::VecDeque;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

/// How many workers a pool has.
pub const WORKERS: usize = 2;

/// How many processes are in flight in a burst.
const IN_FLIGHT: usize = 8;

/// A process that was started, as what waits for its result.
pub type Started = Box<dyn FnOnce() -> u64>;

/// Something that starts processes. What it cannot do it leaves as it is here.
pub trait Contestant {
    /// Starts a process that adds one to the number.
    fn start(&mut self, number: u64) -> Option<Started>;

    /// Starts it, waits for the result, and for whatever its documentation says is waited for.
    fn run(&mut self, number: u64) -> Option<u64> {
        self.start(number).map(|started| started())
    }

    /// Runs so many tasks of [`work`].
    fn pool(&mut self, _micros: u64, _count: u64) -> Option<()> {
        None
    }

    /// Runs a task of no work, and waits for it.
    fn trip(&mut self, _number: u64) -> Option<u64> {
        None
    }

    /// Sends bytes to a process, and gets them back.
    fn bytes(&mut self, _data: Vec<u8>) -> Option<Vec<u8>> {
        None
    }

    /// The same with numbers.
    fn floats(&mut self, _data: Vec<f64>) -> Option<Vec<f64>> {
        None
    }

    /// Makes workers that have nothing to do.
    fn idle(&mut self) -> Option<()> {
        self.trip(0).map(drop)
    }
}

/// Uses a processor for so long.
pub fn work(micros: u64) -> u64 {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(micros) {
        std::hint::spin_loop();
    }
    micros
}

/// Answers until nothing more is asked.
pub fn serve(mut contestant: impl Contestant) {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for line in stdin().lock().lines() {
        let line = line.expect("the comparison asks in text");
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words[index].parse::<u64>().expect("a number");
        let answer = match words[0] {
            "heap" => {
                kept.push(vec![1; (number(1) as usize) << 30]);
                Some(0)
            }
            "start" => timed(|| (0..number(1)).try_for_each(|n| contestant.run(n).map(|m| assert_eq!(m, n + 1)))),
            "burst" => timed(|| burst(&mut contestant, number(1))),
            "pool" => {
                contestant.pool(0, 2 * WORKERS as u64).and_then(|()| timed(|| contestant.pool(number(1), number(2))))
            }
            "trip" => {
                contestant.trip(0).and_then(|_| timed(|| (0..number(1)).try_for_each(|n| contestant.trip(n).map(drop))))
            }
            "bytes" => repeated(number(2), vec![7; number(1) as usize], |data| contestant.bytes(data)),
            "floats" => repeated(number(2), vec![0.5; number(1) as usize / 8], |data| contestant.floats(data)),
            "idle" => contestant.idle().map(|()| children_memory()),
            unknown => panic!("what is {unknown:?}?"),
        };
        let answer = answer.map_or("-".to_owned(), |answer| answer.to_string());
        println!("{answer}");
        stdout().flush().expect("the comparison listens");
    }
}

fn timed(run: impl FnOnce() -> Option<()>) -> Option<u64> {
    let start = Instant::now();
    run().map(|()| start.elapsed().as_nanos() as u64)
}

fn burst(contestant: &mut impl Contestant, count: u64) -> Option<()> {
    let mut started = VecDeque::new();
    for number in 0..count {
        if started.len() == IN_FLIGHT {
            let first: Option<Started> = started.pop_front();
            first.map(|first| first());
        }
        started.push_back(contestant.start(number)?);
    }
    for rest in started {
        rest();
    }
    Some(())
}

fn repeated<T: Clone + PartialEq>(count: u64, data: T, mut there_and_back: impl FnMut(T) -> Option<T>) -> Option<u64> {
    // Once before, so that buffers are there.
    if there_and_back(data.clone())? != data {
        panic!("something else came back");
    }
    let copies: Vec<T> = (0..count).map(|_| data.clone()).collect();
    timed(|| copies.into_iter().try_for_each(|copy| there_and_back(copy).map(drop)))
}

/// The mean proportional share of memory of this process's children.
fn children_memory() -> u64 {
    let own = std::process::id();
    let shares: Vec<u64> = std::fs::read_dir("/proc")
        .expect("this is about Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| parent(*process) == Some(own))
        .filter_map(share)
        .collect();
    shares.iter().sum::<u64>() / shares.len().max(1) as u64
}

fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

fn share(process: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}
