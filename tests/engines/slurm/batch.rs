//! Batches on Slurm.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use spawnsafe::{Batch, ErrorKind, Scheduler, child_entry};
use spawnsafe_tests::{DEADLINE, eventually};

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
    let batch = Batch::create(dir.path().join("100% \\ 'a' {last}"), (0..40).map(|_| node::call(200))).unwrap();
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

/// Somebody requeues both elements of an array, each with a task that has ended, one that runs, and one that has not begun. Of those
/// that run one may run twice.
#[test]
fn elements_are_requeued_in_mid_task() {
    if directory().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    let begun = |task: u32| file(&task.to_string());
    let calls = (0..6).map(|task| {
        // The others need not wait: that is there.
        let go_on = if task == 2 || task == 3 { file("go on") } else { dir.path().to_owned() };
        match task % 2 {
            0 => begins_and_waits_again::call(&begun(task), &go_on),
            _ => begins_and_waits::call(&begun(task), &go_on),
        }
    });
    let batch = Batch::create(file("batch"), calls).unwrap();
    let slurm = Scheduler::slurm([""; 0]).heartbeat(Duration::from_secs(8));
    let job = batch.submit(&slurm.clone().elements(2)).unwrap().said;
    let first = [written_ids(&begun(2)), written_ids(&begun(3))];
    let done: Vec<_> = batch.results().unwrap().map(|(task, result)| (task, result.unwrap())).collect();
    assert_eq!(done.iter().map(|(task, _)| *task).collect::<Vec<_>>(), [0, 1]);
    (0..4).for_each(|task| std::fs::remove_file(begun(task)).unwrap());

    for element in 0..2 {
        let requeued = Command::new("scontrol").args(["requeue", &format!("{job}_{element}")]).status().unwrap();
        assert!(requeued.success());
    }
    eventually("the element begins again", || {
        assert_eq!(batch.submit(&slurm).unwrap().tasks, 0, "Slurm has it");
        begun(2).exists().then_some(())
    });
    let again = written_ids(&begun(2));
    assert_ne!(again, first[0]);
    eventually("the other task is found lost", || (batch.status().unwrap().lost == 1).then_some(()));
    std::fs::write(file("go on"), "").unwrap();
    let status = batch.wait(DEADLINE).unwrap();
    assert_eq!((status.done, status.lost), (5, 1), "{status}");

    let results: Vec<_> = batch.results().unwrap().map(|(_, result)| result).collect();
    for (task, ids) in done {
        assert_eq!(results[task].as_ref().unwrap(), &ids, "what is there stays");
    }
    assert_eq!(results[2].as_ref().unwrap(), &again);
    assert_eq!(results[3].as_ref().unwrap_err().kind(), ErrorKind::Lost);
    assert!([0, 1, 3].iter().all(|&task| !begun(task).exists()), "they have not run again");
    let claims = std::fs::read_dir(batch.path().join("claims")).unwrap();
    let claims: BTreeSet<String> = claims.map(|claim| claim.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(claims.into_iter().collect::<Vec<_>>().join(" "), "0.1 1.1 2.1 2.2 3.1 4.1 5.1");
    assert_eq!(batch.submit(&slurm).unwrap().tasks, 0);
    assert_eq!(batch.resubmit(&slurm).unwrap().tasks, 1);
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 6);
}
