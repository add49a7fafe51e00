//! Batches on Slurm.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use spawnsafe::{Batch, ErrorKind, Scheduler, child_entry};
use spawnsafe_tests::{DEADLINE, eventually, is_running};

use super::directory;
use crate::{begins_and_waits, begins_and_waits_again, square, written_ids};

#[child_entry]
fn node(milliseconds: u64) -> String {
    std::thread::sleep(Duration::from_millis(milliseconds));
    std::env::var("SLURMD_NODENAME").unwrap_or_default()
}

#[test]
fn an_array() {
    if directory().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let batch = Batch::create(dir.path().join("100%"), (0..40).map(|_| node::call(200))).unwrap();
    let slurm = Scheduler::slurm(["--time=5:00"]).elements(20);
    let submitted = batch.submit(&slurm).unwrap();
    assert_eq!((submitted.tasks, submitted.elements), (40, 20));
    assert!(submitted.said.bytes().all(|byte| byte.is_ascii_digit()) && !submitted.said.is_empty(), "{submitted:?}");
    assert_eq!(batch.submit(&slurm).unwrap().tasks, 0, "they are in the queue, or run");
    assert!(batch.wait(DEADLINE).unwrap().is_finished());
    let nodes: BTreeSet<String> = batch.results().unwrap().map(|(_, result)| result.unwrap()).collect();
    assert_eq!(nodes.into_iter().collect::<Vec<_>>().join(" "), "n1 n2 n3");
    let logs = std::fs::read_dir(batch.path().join("logs")).unwrap().count();
    assert_eq!(logs, 20);
}

#[test]
fn an_array_that_slurm_does_not_take() {
    if directory().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let batch = Batch::create(dir.path().join("batch"), (0..3).map(square::call)).unwrap();
    let error = batch.submit(&Scheduler::slurm(["--partition=nowhere"])).unwrap_err();
    assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("nowhere"), "{error}");
    assert_eq!(batch.submit(&Scheduler::slurm([""; 0]).at_once(2)).unwrap().tasks, 3);
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 3);
}

#[test]
fn one_element_is_cancelled() {
    if directory().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    let go_on = file("go on");
    let calls = (0..3).map(|task| begins_and_waits::call(&file(&task.to_string()), &go_on));
    let batch = Batch::create(file("batch"), calls).unwrap();
    let slurm = Scheduler::slurm([""; 0]).heartbeat(Duration::from_secs(8));
    let job = batch.submit(&slurm).unwrap().said;
    for task in 0..3 {
        written_ids(&file(&task.to_string()));
    }
    let cancelled = Command::new("scancel").arg(format!("{job}_1")).status().unwrap();
    assert!(cancelled.success());
    eventually("it is found out", || (batch.status().unwrap().lost == 1).then_some(()));
    std::fs::write(&go_on, "").unwrap();
    assert!(batch.wait(DEADLINE).unwrap().is_finished());
    let results: Vec<_> = batch.results().unwrap().map(|(_, result)| result).collect();
    assert!(results[0].is_ok() && results[2].is_ok());
    let error = results[1].as_ref().unwrap_err();
    assert!(error.kind() == ErrorKind::Lost && error.to_string().contains("lost on n"), "{error}");
    assert_eq!(batch.submit(&slurm).unwrap().tasks, 0);
    assert_eq!(batch.resubmit(&slurm).unwrap().tasks, 1);
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 3);
}

/// As Slurm does by itself when a node is lost, or a job with more rights wants it.
#[test]
fn an_element_is_queued_again() {
    if directory().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let batch = Batch::create(dir.path().join("batch"), [begins_and_waits_again::call(&begun, &go_on)]).unwrap();
    let slurm = Scheduler::slurm([""; 0]);
    let job = batch.submit(&slurm).unwrap().said;
    let (first, _) = written_ids(&begun);
    std::fs::remove_file(&begun).unwrap();
    assert!(Command::new("scontrol").args(["requeue", &format!("{job}_0")]).status().unwrap().success());
    eventually("it ends", || (!is_running(first)).then_some(()));
    assert_eq!(batch.submit(&slurm).unwrap().tasks, 0, "it comes again by itself");
    let (second, _) = written_ids(&begun);
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 1);
    let (_, ids) = batch.results().unwrap().next().unwrap();
    assert_eq!(ids.unwrap().0, second);
    let mut claims: Vec<_> =
        std::fs::read_dir(batch.path().join("claims")).unwrap().map(|it| it.unwrap().file_name()).collect();
    claims.sort();
    assert_eq!(claims, ["0.1", "0.2"], "two attempts");
}
