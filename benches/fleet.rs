//! What many nodes cost the one program that hands out their tasks: threads, descriptors, memory, and processor time for each
//! task. The nodes are agents on this machine, with a worker each, whose tasks only wait.
//!
//! `cargo bench -p spawnsafe-benches --features engines --bench fleet [-- NODES … [silent]]`; `silent` for nodes that are only
//! started, and never there.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use spawnsafe::{Engine, Error, Pool, child_entry};

/// What tasks take, and how many of them each node gets.
const LENGTH: Duration = Duration::from_millis(100);
const EACH: usize = 100;

/// How many bytes go each way with the second kind of tasks.
const BYTES: usize = 1 << 10;

#[child_entry]
fn waits(time: Duration) {
    std::thread::sleep(time);
}

#[child_entry]
fn carries(time: Duration, bytes: Vec<u8>) -> Vec<u8> {
    std::thread::sleep(time);
    bytes
}

#[spawnsafe::process_main]
fn main() -> ExitCode {
    let nodes: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    println!("load {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim_end());
    let nodes = if nodes.is_empty() { vec![3, 50] } else { nodes };
    let is_silent = std::env::args().any(|arg| arg == "silent");
    match nodes.into_iter().try_for_each(if is_silent { measure_links } else { measure_nodes }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is here of nodes, whatever they do.
fn measure_links(nodes: usize) -> Result<(), Error> {
    let (before, start) = (Own::now(), Instant::now());
    let pool = Pool::builder().engine(Engine::command(["sh", "-c", "read nothing", "--"]).nodes(nodes)).build()?;
    while Own::now().threads - before.threads < 4 * nodes {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (there, after) = (start.elapsed(), Own::now());
    let end = Instant::now();
    drop(pool);
    println!(
        "{nodes} commands: all there after {there:.1?}, ended in {:.1?}; {}",
        end.elapsed(),
        after.more_than(&before)
    );
    Ok(())
}

fn measure_nodes(nodes: usize) -> Result<(), Error> {
    let (before, start) = (Own::now(), Instant::now());
    let pool = Pool::builder().engine(Engine::command(["env"]).nodes(nodes)).workers(1).build()?;
    let built = start.elapsed();
    while pool.figures().workers < nodes {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (there, after) = (start.elapsed(), Own::now());
    println!("{nodes} nodes: made in {built:.1?}, all there after {there:.1?}; {}", after.more_than(&before));
    let text: Vec<u8> = (0..BYTES as u32).map(|x| (x * x / 8) as u8).collect();
    for round in 0..2 {
        run(nodes, "nothing", pool.map(waits::call, vec![LENGTH; EACH * nodes]), round)?;
    }
    for round in 0..2 {
        let call = |time| carries::call(time, text.clone());
        run(nodes, "a kilobyte each way", pool.map(call, vec![LENGTH; EACH * nodes]), round)?;
    }
    Ok(())
}

/// The first round lets the pool find out how long tasks take.
fn run<R>(
    nodes: usize,
    what: &str,
    results: impl Iterator<Item = Result<R, Error>>,
    round: usize,
) -> Result<(), Error> {
    let (before, start, mut count) = (Own::now(), Instant::now(), 0_u32);
    for result in results {
        result?;
        count += 1;
    }
    let (time, after) = (start.elapsed(), Own::now());
    if round > 0 {
        let ideal = LENGTH * count / nodes as u32;
        println!(
            "  tasks of {LENGTH:?} with {what}: {:.0} a second, {:.0} % of ideal, {:.1?} of processor time here for each",
            f64::from(count) / time.as_secs_f64(),
            ideal.as_secs_f64() / time.as_secs_f64() * 100.0,
            (after.time - before.time) / count,
        );
    }
    Ok(())
}

/// What this process has, and has used.
struct Own {
    threads: usize,
    descriptors: usize,
    /// In KiB.
    memory: usize,
    time: Duration,
}

impl Own {
    fn more_than(&self, before: &Self) -> String {
        format!(
            "{} threads, {} descriptors, {} KiB of memory, {:.1?} of processor time",
            self.threads - before.threads,
            self.descriptors - before.descriptors,
            self.memory.saturating_sub(before.memory),
            self.time - before.time,
        )
    }

    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // Behind the name, which may contain blanks: the state, and ten others before the two times, in hundredths.
        let times = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = times.filter_map(|time| time.parse::<u64>().ok()).sum();
        Self {
            threads: field("Threads:"),
            descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            memory: field("VmRSS:"),
            time: Duration::from_millis(ticks * 10),
        }
    }
}
