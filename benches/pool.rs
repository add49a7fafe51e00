//! What a pool costs, each against a reference of the same run.
//!
//! `cargo bench -p spawnsafe-benches --bench pool [-- ROUNDS [PART]]`, where a part is `empty`, `single`, `length` or
//! `schedule`; or `only-map`, which measures nothing itself and is for a profiler, or for `time`, which then says how much
//! processor time so many times half a million tasks take in all processes together.
//!
//! Contestants take turns within each round, so that whatever else the machine does meets all alike.

mod measure;

use std::hint;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use measure::Times;
use spawnsafe::{Error, Pool, child_entry};

/// Tells a child to send back each byte that it gets.
const ECHO: &str = "SPAWNSAFE_BENCH_ECHO";

const WORKERS: usize = 2;

/// How many empty tasks one measurement has.
const EMPTY: u64 = 500_000;

#[child_entry]
fn empty(x: u64) -> u64 {
    x
}

#[child_entry]
fn works(microseconds: u64) {
    spin(Duration::from_micros(microseconds));
}

#[child_entry]
fn waits(microseconds: u64) {
    std::thread::sleep(Duration::from_micros(microseconds));
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}

fn main() -> ExitCode {
    if std::env::var_os(ECHO).is_some() {
        echo();
        return ExitCode::SUCCESS;
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
    main()
}

fn compare() -> Result<(), Error> {
    let rounds = measure::rounds(16);
    measure::print_machine();
    println!("{rounds} rounds; in brackets the range of the ratio over 8 blocks of rounds\n");
    let pool = Pool::builder().workers(WORKERS).build()?;
    let parts = ["empty", "single", "length", "schedule", "only-map"];
    let part = std::env::args().find(|arg| parts.contains(&arg.as_str()));
    if part.as_deref() == Some("only-map") {
        return (0..rounds).try_for_each(|_| pool.map(empty::call, 0..EMPTY).try_for_each(|result| result.map(drop)));
    }
    let wanted = |name: &str| part.as_ref().is_none_or(|part| part == name);
    if wanted("empty") {
        empty_tasks(&pool, rounds)?;
    }
    if wanted("single") {
        round_trips(&pool, rounds * 500)?;
    }
    for (microseconds, count) in [(1, 200_000), (100, 4000), (1000, 400), (10_000, 40)] {
        if wanted("length") {
            tasks_of(&pool, microseconds, count, rounds)?;
        }
    }
    if wanted("schedule") {
        schedules(&pool, rounds)?;
    }
    measure::print_machine();
    Ok(())
}

fn timed(action: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    action()?;
    Ok(start.elapsed())
}

fn print(what: &str, times: &Times, tasks: u64, reference: &Times) {
    let median = times.quantile(0.5).as_secs_f64();
    let (rate, least) = (tasks as f64 / median / 1e6, times.quantile(0.0).as_secs_f64());
    let ratio = times.ratio_to(reference);
    println!("{what:<46} {:>10.1} µs (least {:>10.1}) {rate:>8.3} M/s   {ratio}", median * 1e6, least * 1e6);
}

/// Tasks that do nothing: what is left is what a pool costs.
fn empty_tasks(pool: &Pool, rounds: usize) -> Result<(), Error> {
    println!("{EMPTY} empty tasks; ratio to threads with crossbeam-channel and CBOR");
    let (mut ours, mut unordered, mut threads, mut bare) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    for _ in 0..rounds {
        ours.push(timed(|| {
            for (x, result) in (0..).zip(pool.map(empty::call, 0..EMPTY)) {
                assert_eq!(result?, x);
            }
            Ok(())
        })?);
        unordered
            .push(timed(|| pool.map_unordered(empty::call, 0..EMPTY).try_for_each(|(_, result)| result.map(drop)))?);
        threads.push(timed(|| in_threads(encode, decode))?);
        bare.push(timed(|| {
            in_threads(|x| x.to_le_bytes().to_vec(), |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
        })?);
    }
    print("crossbeam-channel, two threads, CBOR", &threads, EMPTY, &threads);
    print("crossbeam-channel, two threads, eight bytes", &bare, EMPTY, &threads);
    print("Pool::map", &ours, EMPTY, &threads);
    print("Pool::map_unordered", &unordered, EMPTY, &threads);
    if let Some(python) = Python::start() {
        let mut times = Times::default();
        let mut python = python;
        for _ in 0..rounds {
            times.push(python.round());
        }
        print("Python's multiprocessing.Pool.map", &times, EMPTY, &threads);
    }
    println!();
    Ok(())
}

fn encode(x: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&x, &mut bytes).expect("a number can be encoded");
    bytes
}

fn decode(bytes: &[u8]) -> u64 {
    ciborium::from_reader(bytes).expect("it was encoded")
}

/// The same in one process: each task is encoded, sent to one of two threads, decoded, and its result likewise; results
/// in order, with as many tasks ahead as a pool has.
fn in_threads(encode: fn(u64) -> Vec<u8>, decode: fn(&[u8]) -> u64) -> Result<(), Error> {
    let (give, take) = crossbeam_channel::bounded::<(u64, Vec<u8>)>(4096);
    let (answer, answers) = crossbeam_channel::unbounded::<(u64, Vec<u8>)>();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (take, answer) = (take.clone(), answer.clone());
            scope.spawn(move || {
                for (number, task) in take {
                    let result = hint::black_box(empty as fn(u64) -> u64)(decode(&task));
                    let _ = answer.send((number, encode(result)));
                }
            });
        }
        drop((take, answer));
        let mut ready = std::collections::VecDeque::<Option<u64>>::new();
        let (mut sent, mut given) = (0, 0);
        while given < EMPTY {
            while sent < EMPTY && sent - given < 4096 {
                let _ = give.send((sent, encode(sent)));
                sent += 1;
            }
            let Ok(first) = answers.recv() else { break };
            for (number, result) in std::iter::once(first).chain(answers.try_iter()) {
                let at = (number - given) as usize;
                if at >= ready.len() {
                    ready.resize(at + 1, None);
                }
                ready[at] = Some(decode(&result));
            }
            while let Some(Some(result)) = ready.front() {
                assert_eq!(*result, given);
                ready.pop_front();
                given += 1;
            }
        }
        drop(give);
    });
    Ok(())
}

/// A Python that measures itself whenever it is asked to.
struct Python {
    child: std::process::Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Python {
    fn start() -> Option<Self> {
        let program = format!(
            "import sys, time, multiprocessing\n\
             def empty(x): return x\n\
             if __name__ == '__main__':\n\
             \x20   pool = multiprocessing.get_context('fork').Pool({WORKERS})\n\
             \x20   pool.map(empty, range(1000))\n\
             \x20   for line in sys.stdin:\n\
             \x20       start = time.perf_counter()\n\
             \x20       for x in pool.map(empty, range({EMPTY})): pass\n\
             \x20       print(time.perf_counter() - start, flush=True)\n"
        );
        let child = Command::new("python3").args(["-c", &program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.inspect_err(|_| println!("there is no python3 to compare with")).ok()?;
        let lines = BufReader::new(child.stdout.take()?);
        Some(Self { child, lines })
    }

    fn round(&mut self) -> Duration {
        let mut line = String::new();
        writeln!(self.child.stdin.as_mut().expect("a pipe")).expect("python3 reads");
        self.lines.read_line(&mut line).expect("python3 answers");
        Duration::from_secs_f64(line.trim().parse().expect("a number of seconds"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// One task at a time, against one byte there and back through a pair of sockets to another process.
fn round_trips(pool: &Pool, rounds: usize) -> Result<(), Error> {
    let (mut raw, mut ours) = (Times::default(), Times::default());
    let (mut socket, mut child) = start_echo();
    for _ in 0..rounds {
        let mut byte = [7];
        let start = Instant::now();
        socket.write_all(&byte).expect("the echo reads");
        socket.read_exact(&mut byte).expect("the echo answers");
        raw.push(start.elapsed());
        ours.push(timed(|| pool.submit(empty::call(7))?.join().map(drop))?);
    }
    println!("one task at a time; ratio to a byte through a pair of sockets");
    print("ping-pong", &raw, 1, &raw);
    print("submit and join", &ours, 1, &raw);
    println!();
    drop(socket);
    let _ = child.wait();
    Ok(())
}

fn start_echo() -> (UnixStream, std::process::Child) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let child = command.env(ECHO, "1").stdin(OwnedFd::from(theirs)).spawn().expect("this program starts");
    (ours, child)
}

fn echo() {
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().expect("a descriptor"));
    let mut byte = [0];
    while let Ok(1) = socket.read(&mut byte) {
        if socket.write_all(&byte).is_err() {
            break;
        }
    }
}

/// Tasks that keep a processor busy, against two threads that have half of them each.
fn tasks_of(pool: &Pool, microseconds: u64, count: u64, rounds: usize) -> Result<(), Error> {
    let (mut ideal, mut ours) = (Times::default(), Times::default());
    for _ in 0..rounds {
        ideal.push(timed(|| {
            std::thread::scope(|scope| {
                for _ in 0..WORKERS {
                    scope.spawn(|| (0..count / WORKERS as u64).for_each(|_| spin(Duration::from_micros(microseconds))));
                }
            });
            Ok(())
        })?);
        ours.push(timed(|| pool.map(|_| works::call(microseconds), 0..count).try_for_each(|result| result))?);
    }
    println!("{count} tasks of {microseconds} µs; ratio to two threads that share nothing");
    print("ideal", &ideal, count, &ideal);
    print("Pool::map", &ours, count, &ideal);
    println!();
    Ok(())
}

/// A hundred tasks, one of them a hundred times as long as the others: they sleep, so that the processors are no matter.
fn schedules(pool: &Pool, rounds: usize) -> Result<(), Error> {
    const SHORT: u64 = 2000;
    for long_at in [0, 50] {
        let (mut best, mut ours) = (Times::default(), Times::default());
        // In this order the long one begins when half of those before it have run one after another.
        let before = SHORT * long_at / 2;
        for _ in 0..rounds {
            best.push(timed(|| {
                (0..long_at / 2).for_each(|_| std::thread::sleep(Duration::from_micros(SHORT)));
                std::thread::sleep(Duration::from_micros(100 * SHORT));
                Ok(())
            })?);
            let length = |x| if x == long_at { 100 * SHORT } else { SHORT };
            ours.push(timed(|| pool.map(|x| waits::call(length(x)), 0..100).try_for_each(|result| result))?);
        }
        println!("100 tasks of {SHORT} µs, number {long_at} of {} µs; ratio to the best schedule", 100 * SHORT);
        print("best", &best, 100, &best);
        print("Pool::map", &ours, 100, &best);
        println!("{}", if before == 0 { "" } else { "\n" });
    }
    Ok(())
}
