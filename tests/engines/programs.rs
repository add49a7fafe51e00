//! Programs that end while their pools have something to do elsewhere.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spawnsafe::{Engine, Pool};
use spawnsafe_tests::{KillAll, KillOnDrop, eventually, is_running};

use super::{pool, sleeps, square};

const CLUSTERS: &str = env!("CARGO_BIN_EXE_clusters");

/// Starts a program in the middle of its work through this engine, and kills it.
pub(crate) fn is_killed(engine: &str) {
    let command = Command::new(CLUSTERS)
        .arg("in-mid-map")
        .env("SPAWNSAFE_ENGINE", engine)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let everybody = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    assert!(everybody.0.len() >= 3, "{line}");
    assert!(everybody.0.iter().all(|&id| is_running(id)));
    parent.0.kill().unwrap();
    parent.0.wait().unwrap();
    let start = Instant::now();
    eventually("agents and workers end with it", || everybody.0.iter().all(|&id| !is_running(id)).then_some(()));
    println!("{engine}: nobody was left after {:?}", start.elapsed());
    // Generous, as other tests run.
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn nobody_is_left_when_the_program_is_killed() {
    is_killed("command:sh -c 'exec \"$@\"' --");
}

/// The links of srun and ssh hold short messages back; here for a second, there for 40 ms.
#[test]
fn a_link_that_holds_messages_back_is_kept_going_where_little_is_left_to_do() {
    const HOLD: Duration = Duration::from_secs(1);
    let link = format!("{CLUSTERS} slow-link {}", HOLD.as_millis());
    let engine: Engine = format!("command:{link} env ; {link} env ; {link} env").parse().unwrap();
    let pool = Pool::builder().engine(engine).workers(2).build().unwrap();
    eventually("all nodes are there", || (pool.figures().workers == 6).then_some(()));
    let mut times = std::iter::repeat_with(|| {
        let start = Instant::now();
        for count in [6, 20, 60] {
            pool.map(sleeps::call, vec![10; count]).for_each(|ids| assert!(ids.is_ok()));
        }
        println!("all was done in {:?}", start.elapsed());
        start.elapsed()
    });
    // Who does not get a processor for a while is late, and a link held up: once in a few times must be without that.
    assert!(times.by_ref().take(5).any(|time| time < 4 * HOLD));
}

/// How often a process has written something.
fn writes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap().parse().unwrap()
}

/// Where all workers are busy, nothing can come that they would wait for.
#[test]
fn busy_nodes_say_no_more_than_their_answers() {
    let pool = pool(&"command:env".parse().unwrap()).workers(8).build().unwrap();
    let agent = pool.submit(sleeps::call(1)).unwrap().join().unwrap().1;
    let mut tasks = std::collections::VecDeque::new();
    for _ in 0..8 {
        tasks.push_back(pool.submit(sleeps::call(320)).unwrap());
        std::thread::sleep(Duration::from_millis(40));
    }
    let mut counts = std::iter::repeat_with(|| {
        let (before, start) = (writes(agent), Instant::now());
        for _ in 0..50 {
            tasks.pop_front().unwrap().join().unwrap();
            tasks.push_back(pool.submit(sleeps::call(320)).unwrap());
        }
        let count = writes(agent) - before;
        println!("{count} writes for 50 answers in {:?}", start.elapsed());
        count
    });
    // Besides, its threads wake each other, and it talks to its workers. On a machine that is busy with something else there are
    // moments without a task.
    assert!(counts.by_ref().take(4).any(|count| count < 400));
}

/// Terminals hold back what has no end of a line, and take some bytes for orders.
#[test]
fn a_terminal_on_the_way_is_told_of() {
    let link = "command:script -qc 'exec env SPAWNSAFE_AGENT=before-main {program}' /dev/null";
    let engine: Engine = link.parse::<Engine>().unwrap();
    let pool = pool(&engine).build().unwrap();
    let error = pool.submit(square::call(1)).and_then(|task| task.join()).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("terminal"), "{error}");
}
