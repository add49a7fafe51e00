//! What the way to other machines costs, against the pool of this one in the same run.
//!
//! `cargo bench -p spawnsafe-benches --features engines --bench engines [-- ROUNDS [ENGINE …]]`, where an engine is what
//! `SPAWNSAFE_ENGINE` takes; by default a command that does nothing, on one node and on three. Each node has two workers.

mod measure;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use measure::Times;
use spawnsafe::{Engine, Error, Pool, Stdio, child_entry};

const EMPTY: u64 = 1_000_000;
/// Those whose arguments and results have nothing in common: random numbers.
const RANDOM: u64 = 200_000;
const SINGLE: u32 = 300;
/// Tasks that take ten milliseconds without a processor, as those of real nodes have their own.
const LONG: usize = 600;
const LENGTH: Duration = Duration::from_millis(10);
const WORKERS: usize = 2;

#[child_entry]
fn empty(x: u64) -> u64 {
    x
}

#[child_entry]
fn waits(time: Duration) {
    std::thread::sleep(time);
}

#[spawnsafe::process_main]
fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Contestant {
    name: String,
    pool: Pool,
    workers: usize,
    empty: Times,
    random: Times,
    single: Times,
    long: Times,
}

fn compare() -> Result<(), Error> {
    let rounds = measure::rounds(8);
    measure::print_machine();
    println!("{rounds} rounds; in brackets the range of the ratio over 8 blocks of rounds\n");
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| arg.parse::<Engine>().is_ok()).collect();
    let usual = ["command:env", "command:env ; env ; env"].map(String::from);
    let names = if named.is_empty() { usual.to_vec() } else { named };
    let mut all = Vec::new();
    for name in std::iter::once("local").chain(names.iter().map(String::as_str)) {
        let pool = Pool::builder().engine(name.parse()?).workers(WORKERS).stderr(Stdio::null()).build()?;
        pool.map(empty::call, 0..1000).try_for_each(|result| result.map(drop))?;
        let contestant = |pool, workers| Contestant {
            name: name.chars().take(40).collect(),
            pool,
            workers,
            empty: Times::default(),
            random: Times::default(),
            single: Times::default(),
            long: Times::default(),
        };
        // All nodes, however late they come.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let workers = pool.figures().workers;
        all.push(contestant(pool, workers));
    }
    for _ in 0..rounds {
        all.iter_mut().try_for_each(Contestant::round)?;
    }
    let local = &all[0];
    for contestant in &all {
        let rate = EMPTY as f64 / contestant.empty.quantile(0.5).as_secs_f64() / 1e6;
        let best = EMPTY as f64 / contestant.empty.quantile(0.0).as_secs_f64() / 1e6;
        println!("{} ({} workers)", contestant.name, contestant.workers);
        println!(
            "  empty tasks     {rate:.3} M/s (best {best:.3}), time {} of the local pool's",
            contestant.empty.ratio_to(&local.empty)
        );
        let rate = RANDOM as f64 / contestant.random.quantile(0.5).as_secs_f64() / 1e6;
        println!(
            "  random numbers  {rate:.3} M/s, time {} of the local pool's",
            contestant.random.ratio_to(&local.random)
        );
        let single = contestant.single.quantile(0.5) / SINGLE;
        println!("  one at a time   {single:.1?} (best {:.1?})", contestant.single.quantile(0.0) / SINGLE);
        let ideal = LENGTH * LONG as u32 / contestant.workers as u32;
        let share = |time: Duration| ideal.as_secs_f64() / time.as_secs_f64() * 100.0;
        println!(
            "  tasks of 10 ms  {:.0} % of ideal (best {:.0} %)",
            share(contestant.long.quantile(0.5)),
            share(contestant.long.quantile(0.0))
        );
    }
    measure::print_machine();
    Ok(())
}

impl Contestant {
    fn round(&mut self) -> Result<(), Error> {
        let pool = &self.pool;
        self.empty.push(timed(|| {
            for (x, result) in (0..).zip(pool.map(empty::call, 0..EMPTY)) {
                assert_eq!(result?, x);
            }
            Ok(())
        })?);
        let numbers = || (0..RANDOM).map(|x| x.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(x as u32));
        self.random.push(timed(|| {
            for (x, result) in numbers().zip(pool.map(empty::call, numbers())) {
                assert_eq!(result?, x);
            }
            Ok(())
        })?);
        self.single.push(timed(|| (0..SINGLE).try_for_each(|x| pool.submit(empty::call(x.into()))?.join().map(drop)))?);
        self.long.push(timed(|| pool.map(waits::call, [LENGTH; LONG]).try_for_each(|result| result))?);
        Ok(())
    }
}

fn timed(action: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    action()?;
    Ok(start.elapsed())
}
