//! Programs that end while their pools have something to do elsewhere.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spawnsafe::{Engine, Pool};
use spawnsafe_tests::{KillAll, KillOnDrop, eventually, is_running};

use super::sleeps;

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
    let start = Instant::now();
    for count in [6, 20, 60] {
        pool.map(sleeps::call, vec![10; count]).for_each(|ids| assert!(ids.is_ok()));
    }
    println!("all was done in {:?}", start.elapsed());
    assert!(start.elapsed() < 4 * HOLD, "{:?}", start.elapsed());
}
