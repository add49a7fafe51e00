//! Programs with pools on other machines.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use spawnsafe::{Batch, Engine, ErrorKind, Pool, Scheduler, Stdio, child_entry, process_main};
use spawnsafe_tests::{DEADLINE, children_of, eventually, open_descriptors};

#[child_entry]
fn square(x: u64) -> u64 {
    x * x
}

#[child_entry]
fn sleeps(milliseconds: u64) -> (u32, u32) {
    std::thread::sleep(Duration::from_millis(milliseconds));
    (std::process::id(), std::os::unix::process::parent_id())
}

#[process_main]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("in-mid-map") => in_mid_map(),
        Some("leaks") => leaks(),
        Some("nodes") => nodes(),
        Some("many-tasks") => many_tasks(),
        #[cfg(feature = "nats")]
        Some("posts") => posts(),
        #[cfg(feature = "nats")]
        Some("collects") => collects(),
        Some("slow-link") => slow_link(),
        Some("batch-start") => batch_start(&path()),
        Some("batch-run") => batch_run(&path()),
        Some("batch-collect") => batch_collect(&path()),
        Some("batch-leaks") => batch_leaks(&path()),
        Some("batch-full-disk") => batch_full_disk(&path()),
        other => panic!("no such program: {other:?}"),
    }
}

/// Runs the command behind it, and passes on what is said in both directions as a connection does that was not told to
/// hurry: whoever has said something says nothing more before the other one has, or for the time that is given.
fn slow_link() {
    let hold = Duration::from_millis(std::env::args().nth(2).unwrap().parse().unwrap());
    let mut words = std::env::args_os().skip(3);
    let mut command = Command::new(words.next().unwrap());
    let [stdin, stdout] = [std::process::Stdio::piped(), std::process::Stdio::piped()];
    let mut child = command.args(words).stdin(stdin).stdout(stdout).spawn().unwrap();
    let (mut to_child, mut from_child) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // For each direction, whether something is under way that was not answered.
    let (under_way, answered) = (Mutex::new([false; 2]), Condvar::new());
    let pass = |direction: usize, from: &mut dyn Read, to: &mut dyn Write| {
        let mut buffer = [0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let wait = |under_way: &mut [bool; 2]| under_way[direction];
            let mut under_way = answered.wait_timeout_while(under_way.lock().unwrap(), hold, wait).unwrap().0;
            *under_way = [direction == 0, direction == 1];
            answered.notify_all();
            if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pass(0, &mut std::io::stdin().lock(), &mut to_child);
            drop(to_child);
        });
        pass(1, &mut from_child, &mut std::io::stdout().lock());
        std::process::exit(child.wait().unwrap().code().unwrap_or(1));
    });
}

/// Prints the ids of all that work for it, and goes on.
fn in_mid_map() {
    let pool = Pool::builder().engine(Engine::from_env().unwrap()).workers(2).build().unwrap();
    let mut seen = BTreeSet::new();
    let mut ids = pool.map_unordered(sleeps::call, std::iter::repeat(20)).map(|(_, ids)| ids.unwrap());
    for (worker, agent) in ids.by_ref().take(100) {
        seen.extend([worker, agent]);
    }
    seen.extend(pool.process_ids());
    println!("{}", seen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    std::io::stdout().flush().unwrap();
    ids.for_each(drop);
}

#[child_entry]
fn node() -> String {
    std::thread::sleep(Duration::from_millis(50));
    std::env::var("SLURMD_NODENAME").unwrap_or_default()
}

/// Prints the names of the nodes that it is given, and how many workers they have.
fn nodes() {
    let pool = Pool::builder().engine(Engine::from_env().unwrap()).build().unwrap();
    let workers = eventually("all nodes are there", || {
        let workers = pool.figures().workers;
        (workers >= 6).then_some(workers)
    });
    let names: BTreeSet<String> = pool.map(|()| node::call(), [(); 60]).collect::<Result<_, _>>().unwrap();
    println!("{}: {workers} workers", names.into_iter().collect::<Vec<_>>().join(" "));
}

/// As many tasks as are asked for, each answered once; what the pool does meanwhile is told now and then.
fn many_tasks() {
    let count: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let pool = Pool::builder().engine(Engine::from_env().unwrap()).workers(2).build().unwrap();
    std::thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let pool = &pool;
        scope.spawn(move || {
            while is_done.recv_timeout(Duration::from_secs(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{:?}", pool.figures());
            }
        });
        for (x, result) in (0..).zip(pool.map(square::call, 0..count)) {
            assert_eq!(result.unwrap(), x * x);
        }
        drop(done);
    });
    println!("{count} tasks");
}

/// Many pools leave no descriptor, no thread and no process behind.
fn leaks() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let engine = Engine::command(["sh", "-c", "exec \"$@\"", "--"]).nodes(2);
    let round = || {
        let pool = Pool::builder().engine(engine.clone()).workers(1).stderr(Stdio::null()).build().unwrap();
        let squares = pool.map(square::call, 0..100).map(Result::unwrap).sum::<u64>();
        assert_eq!(squares, (0..100).map(|x| x * x).sum::<u64>());
        drop(pool.submit(sleeps::call(600_000)).unwrap());
    };
    round();
    let one = || eventually("the threads of the links end", || (threads() == 1).then_some(()));
    one();
    let before = open_descriptors();
    for _ in 0..20 {
        round();
    }
    one();
    assert_eq!(open_descriptors(), before);
    assert_eq!(children_of(std::process::id()), [0; 0]);
}

/// Submits tasks to the queue, prints their ids, and waits to be killed.
#[cfg(feature = "nats")]
fn posts() {
    let queue = spawnsafe_nats::Queue::connect(&std::env::args().nth(2).unwrap()).unwrap();
    let ids: Vec<String> = (0..20).map(|x| queue.submit(slow_square::call(x)).unwrap().to_string()).collect();
    println!("{}", ids.join(" "));
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

/// Collects what another process has submitted.
#[cfg(feature = "nats")]
fn collects() {
    let queue = spawnsafe_nats::Queue::connect(&std::env::args().nth(2).unwrap()).unwrap();
    for (x, id) in (0..).zip(std::env::args().skip(3)) {
        assert_eq!(queue.collect::<u64>(&id.parse().unwrap()).unwrap(), x * x);
    }
    println!("collected");
}

#[cfg(feature = "nats")]
#[child_entry]
fn slow_square(x: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(100));
    x * x
}

fn path() -> PathBuf {
    std::env::args_os().nth(2).unwrap().into()
}

#[child_entry]
fn half_slowly(x: u64) -> f64 {
    std::thread::sleep(Duration::from_millis(100));
    x as f64 / 2.0
}

/// Submits tasks, and waits for somebody to kill it.
fn batch_start(dir: &Path) {
    let batch = Batch::create(dir, (0..12).map(half_slowly::call)).unwrap();
    batch.submit(&Scheduler::from_env().unwrap()).unwrap();
    std::thread::sleep(DEADLINE);
}

/// Submits as many tasks as are asked for, waits for them, and prints what they give together.
fn batch_run(dir: &Path) {
    let count = std::env::args().nth(3).map_or(8, |text| text.parse().unwrap());
    let batch = Batch::create(dir, (0..count).map(square::call)).unwrap();
    let scheduler = Scheduler::from_env().unwrap();
    assert_eq!(batch.submit(&scheduler).unwrap().tasks, count as usize);
    assert!(batch.submit(&scheduler).unwrap().tasks == 0, "they are there");
    assert!(batch.wait(DEADLINE).unwrap().is_finished());
    println!("{}", batch.results().unwrap().map(|(_, result)| result.unwrap()).sum::<u64>());
}

/// Waits for what another one has submitted.
fn batch_collect(dir: &Path) {
    let batch = Batch::<f64>::open(dir).unwrap();
    println!("{}", batch.wait(DEADLINE).unwrap());
    println!("{}", batch.results().unwrap().map(|(_, result)| result.unwrap()).sum::<f64>());
}

#[child_entry]
fn many_bytes(count: usize) -> Vec<u8> {
    vec![7; count]
}

#[child_entry]
fn takes_bytes(_: Vec<u8>) -> u64 {
    0
}

/// In a directory of a megabyte: neither arguments nor results that are longer fit, and both are errors that say so.
fn batch_full_disk(root: &Path) {
    let dir = root.join("arguments");
    let error = Batch::create(&dir, [takes_bytes::call(vec![7; 2 << 20])]).unwrap_err();
    assert!(error.kind() == ErrorKind::System && error.to_string().contains("make room"), "{error}");
    assert!(!dir.exists());
    let batch = Batch::create(root.join("results"), [2 << 20, 10].map(many_bytes::call)).unwrap();
    batch.submit(&Scheduler::local(1)).unwrap();
    assert!(batch.wait(DEADLINE).unwrap().is_finished());
    let results: Vec<_> = batch.results().unwrap().map(|(_, result)| result).collect();
    let error = results[0].as_ref().unwrap_err();
    assert!(error.kind() == ErrorKind::System && error.to_string().contains("its result cannot be written"), "{error}");
    assert_eq!(results[1].as_ref().unwrap(), &[7; 10]);
    println!("as expected");
}

/// Many batches leave no descriptor, no thread and no process behind, and of their directories what is in them.
fn batch_leaks(dir: &Path) {
    let round = || {
        let batch = Batch::create(dir, (0..4).map(square::call)).unwrap();
        batch.submit(&Scheduler::local(2)).unwrap();
        assert_eq!(batch.wait(DEADLINE).unwrap().done, 4);
        assert_eq!(batch.results().unwrap().map(|(_, result)| result.unwrap()).sum::<u64>(), 14);
        let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let names: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), "answers calls claims elements logs submissions");
        std::fs::remove_dir_all(dir).unwrap();
    };
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let quiet = || eventually("its processes end", || (threads() == 1).then_some(()));
    round();
    quiet();
    let before = open_descriptors();
    for _ in 0..5 {
        round();
    }
    quiet();
    assert_eq!(open_descriptors(), before);
    assert_eq!(children_of(std::process::id()), [0; 0]);
    println!("nothing");
}
