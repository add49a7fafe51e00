//! Batches whose nodes, or whose Slurm, are lost.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use spawnsafe::{Batch, Scheduler, SpawnSafe, child_entry};
use spawnsafe_tests::eventually;

use super::super::{cluster, directory};

#[child_entry(on_loss = retry(3))]
fn squares_slowly(x: u64) -> (u64, String) {
    std::thread::sleep(Duration::from_millis(500));
    (x * x, std::env::var("SLURMD_NODENAME").unwrap())
}

/// Counts in a file how often it runs.
#[child_entry]
fn counts(path: &Path) -> String {
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
    std::env::var("SLURMD_NODENAME").unwrap()
}

/// Long enough for Slurm to notice that a node is gone, and to let the next job begin.
const PATIENCE: Duration = Duration::from_secs(180);

/// Takes out of Slurm what a test has left there: jobs that it begins anew, whose tasks have answers by then. Nobody else has any, as
/// these tests run one after another.
struct NoJobs;

impl Drop for NoJobs {
    fn drop(&mut self) {
        let mine = std::process::Command::new("sh").args(["-c", "scancel --user=$(id -un)"]).status();
        assert!(mine.unwrap().success() || std::thread::panicking(), "jobs are not cancelled");
    }
}

/// Hands over again what is lost until nothing is.
fn finish<R: SpawnSafe>(batch: &Batch<R>, slurm: &Scheduler) {
    let start = Instant::now();
    while !batch.wait(Duration::from_secs(2)).unwrap().is_finished() {
        assert!(start.elapsed() < PATIENCE, "{}", batch.status().unwrap());
        // Slurm may be on its way back.
        let _ = batch.submit(slurm);
    }
    println!("finished after {:?}: {}", start.elapsed(), batch.status().unwrap());
}

#[test]
fn a_node_loses_its_power() {
    if directory().is_none() {
        return;
    }
    let _no_jobs = NoJobs;
    let dir = tempfile::tempdir().unwrap();
    let batch = Batch::create(dir.path().join("batch"), (0..48).map(squares_slowly::call)).unwrap();
    let slurm = Scheduler::slurm([""; 0]).heartbeat(Duration::from_secs(20));
    batch.submit(&slurm.clone().elements(12)).unwrap();
    let lost = eventually("all nodes have answered", || {
        let results = batch.results().unwrap().map(|(_, result)| result.unwrap().1);
        let nodes: std::collections::BTreeSet<String> = results.collect();
        (nodes.len() == 3).then(|| nodes.into_iter().next_back().unwrap())
    });
    cluster("kill-node", &[&lost]);
    finish(&batch, &slurm);
    for (x, result) in batch.results().unwrap() {
        assert_eq!(result.unwrap().0, (x * x) as u64);
    }
    assert_eq!(batch.status().unwrap().done, 48);
    cluster("start-node", &[&lost]);
}

/// It has acknowledged what it has not written down.
#[test]
fn the_head_is_killed_when_it_has_said_yes() {
    if directory().is_none() {
        return;
    }
    let _no_jobs = NoJobs;
    let dir = tempfile::tempdir().unwrap();
    let file = |task: u32| dir.path().join(task.to_string());
    let batch = Batch::create(dir.path().join("batch"), (0..24).map(|task| counts::call(&file(task)))).unwrap();
    let slurm = Scheduler::slurm([""; 0]).heartbeat(Duration::from_secs(20));
    batch.submit(&slurm).unwrap();
    cluster("kill-head", &[]);
    cluster("start-head", &[]);
    finish(&batch, &slurm);
    for (_, result) in batch.results().unwrap() {
        result.unwrap();
    }
    for task in 0..24 {
        assert_eq!(std::fs::read(file(task)).unwrap(), b"x", "task {task}");
    }
}
