//! Batches on a Grid Engine of one host, which `.ci/engines` starts with `grid/cluster`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use spawnsafe::{Batch, Error, ErrorKind, Scheduler, child_entry};
use spawnsafe_tests::{DEADLINE, eventually};
use tempfile::TempDir;

use super::batch::documented;
use super::{begins_and_waits, begins_and_waits_again, signal, square, written_ids};

/// What the guide says. `None`, and a line that says why, where there is no Grid Engine.
fn grid_engine() -> Option<Scheduler> {
    with("")
}

/// The same with options for `qsub`.
fn with(options: &str) -> Option<Scheduler> {
    if std::env::var_os("SPAWNSAFE_TEST_GRID").is_none() {
        println!("left out: there is no Grid Engine; `.ci/engines` starts one");
        return None;
    }
    let line = documented("Grid Engine").replacen("qsub ", &format!("qsub {options} "), 1);
    Some(line.parse::<Scheduler>().unwrap().heartbeat(Duration::from_secs(8)))
}

fn qmod(command: &str, arguments: &[&str]) {
    let output = Command::new(command).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[child_entry]
fn tells(x: u64) -> (u64, String) {
    println!("this is {x}");
    (x * x, std::env::var("SGE_TASK_ID").unwrap())
}

#[test]
fn an_array() {
    let Some(grid) = grid_engine() else { return };
    let dir = tempfile::tempdir().unwrap();
    // `qsub -o` would take such a path for others.
    let batch = Batch::create(dir.path().join("a b, c:d $USER 'e'"), (0..12).map(tells::call)).unwrap();
    let submitted = batch.submit(&grid.clone().elements(6)).unwrap();
    assert_eq!((submitted.tasks, submitted.elements), (12, 6));
    assert!(submitted.said.contains(&submitted.name), "{submitted:?}");
    assert_eq!(batch.submit(&grid).unwrap().tasks, 0, "they are in the queue, or run");
    assert!(batch.wait(DEADLINE).unwrap().is_finished());
    for (x, result) in batch.results().unwrap() {
        assert_eq!(result.unwrap(), ((x * x) as u64, (x % 6 + 1).to_string()));
    }
    let printed = std::fs::read_to_string(batch.path().join("logs/1-3.log")).unwrap();
    assert_eq!(printed, "this is 2\nthis is 8\n");
    // And an array of one.
    let batch = Batch::create(dir.path().join("one"), [square::call(7)]).unwrap();
    batch.submit(&grid).unwrap();
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 1);
}

#[test]
fn an_array_that_it_does_not_take() {
    let Some(grid) = with("-q nowhere.q") else { return };
    let dir = tempfile::tempdir().unwrap();
    let batch = Batch::create(dir.path().join("batch"), (0..3).map(square::call)).unwrap();
    let error = batch.submit(&grid).unwrap_err();
    assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("nowhere.q"), "{error}");
    assert_eq!(batch.submit(&grid_engine().unwrap()).unwrap().tasks, 3);
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 3);
}

/// It waits in the queue, and is deleted there by somebody.
#[test]
fn a_submission_that_is_gone_is_found_missing() {
    let Some(held) = with("-h") else { return };
    let dir = tempfile::tempdir().unwrap();
    let batch = Batch::create(dir.path().join("batch"), (0..3).map(square::call)).unwrap();
    let name = batch.submit(&held).unwrap().name;
    let grid = grid_engine().unwrap();
    assert_eq!(batch.submit(&grid).unwrap().tasks, 0, "it is in the queue");
    assert_eq!(batch.status().unwrap().waiting, 3);
    qmod("qdel", &[&name]);
    eventually("it is gone", || (batch.submit(&grid).unwrap().tasks == 3).then_some(()));
    assert_eq!(batch.wait(DEADLINE).unwrap().done, 3);
}

/// Three tasks, each in an element of its own, which have begun. The first may run twice.
struct Begun {
    dir: TempDir,
    batch: Batch<(u32, u32)>,
    name: String,
    /// The processes of the tasks, and of their elements.
    ids: Vec<(u32, u32)>,
}

impl Begun {
    fn new(grid: &Scheduler) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| -> PathBuf { dir.path().join(name) };
        let calls = (0..3).map(|task| match task {
            0 => begins_and_waits_again::call(&file("0"), &file("go on")),
            task => begins_and_waits::call(&file(&task.to_string()), &file("go on")),
        });
        let batch = Batch::create(file("batch"), calls).unwrap();
        let name = batch.submit(grid).unwrap().name;
        let ids = (0..3).map(|task| written_ids(&file(&task.to_string()))).collect();
        Self { dir, batch, name, ids }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn results(&self) -> Vec<Result<(u32, u32), Error>> {
        std::fs::write(self.file("go on"), "").unwrap();
        let status = self.batch.wait(DEADLINE).unwrap();
        assert!(status.is_finished(), "{status}");
        self.batch.results().unwrap().map(|(_, result)| result).collect()
    }
}

#[track_caller]
fn is_lost(result: &Result<(u32, u32), Error>) {
    let error = result.as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
}

#[test]
fn an_element_that_is_killed_is_lost_and_handed_over_again() {
    let Some(grid) = grid_engine() else { return };
    let begun = Begun::new(&grid);
    std::fs::remove_file(begun.file("0")).unwrap();
    for task in [0, 1] {
        signal(begun.ids[task].1, libc::SIGKILL);
    }
    eventually("it is found out", || (begun.batch.status().unwrap().running == 1).then_some(()));
    let status = begun.batch.status().unwrap();
    assert_eq!((status.lost, status.waiting), (1, 1), "{status}");
    assert_eq!(begun.batch.submit(&grid).unwrap().tasks, 1, "the one that may run twice");
    written_ids(&begun.file("0"));
    let results = begun.results();
    is_lost(&results[1]);
    assert!(results[0].is_ok() && results[2].as_ref().unwrap() == &begun.ids[2]);
    assert_eq!(begun.batch.submit(&grid).unwrap().tasks, 0);
    assert_eq!(begun.batch.resubmit(&grid).unwrap().tasks, 1);
    assert!(begun.results().into_iter().all(|result| result.is_ok()));
}

#[test]
fn one_element_is_cancelled() {
    let Some(grid) = grid_engine() else { return };
    let begun = Begun::new(&grid);
    qmod("qdel", &[&begun.name, "-t", "2"]);
    eventually("it is found out", || (begun.batch.status().unwrap().lost == 1).then_some(()));
    let results = begun.results();
    is_lost(&results[1]);
    assert!(results[0].is_ok() && results[2].is_ok());
}

/// As it does by itself when a host is lost, if the job says `-r y`.
#[test]
fn elements_that_are_rescheduled_go_on() {
    let Some(grid) = grid_engine() else { return };
    // It goes on at once, and not when what it was before has been silent for so long.
    let begun = Begun::new(&grid.heartbeat(20 * DEADLINE));
    std::fs::remove_file(begun.file("0")).unwrap();
    qmod("qmod", &["-rj", &begun.name]);
    let (_, element) = written_ids(&begun.file("0"));
    assert_ne!(element, begun.ids[0].1);
    eventually("the others are over", || (begun.batch.status().unwrap().lost == 2).then_some(()));
    let results = begun.results();
    assert_eq!(results[0].as_ref().unwrap().1, element);
    is_lost(&results[1]);
    is_lost(&results[2]);
    assert!(!Path::new(&begun.file("batch/claims/0.3")).exists(), "it is the second attempt");
}
