//! Single tasks, and the pool's life.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use spawnsafe::{ErrorKind, Pool, Stdio, child_entry};
use spawnsafe_tests::{KillAll, eventually};

use super::{begins_and_waits, pool, process_id, sleeps, square, works, written_id};

#[test]
fn a_task_is_joined() {
    let pool = pool().build().unwrap();
    let task = pool.submit(square::call(12)).unwrap();
    assert_eq!(task.join().unwrap(), 144);
    let ids: BTreeSet<u32> =
        pool.map(|()| process_id::call(), std::iter::repeat_n((), 50)).map(|id| id.unwrap()).collect();
    assert!(ids.len() <= 2 && !ids.contains(&std::process::id()), "{ids:?}");
    assert!(pool.process_ids().iter().copied().collect::<BTreeSet<_>>().is_superset(&ids));
}

#[test]
fn a_task_is_asked_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool().build().unwrap();
    let mut task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let id = written_id(&begun);
    assert_eq!(task.try_join().unwrap(), None);
    assert_eq!(task.join_timeout(Duration::from_millis(5)).unwrap(), None);
    assert!(!task.is_finished());
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(task.join_timeout(Duration::from_secs(60)).unwrap(), Some(id));
    assert!(task.is_finished());
    assert_eq!(task.try_join().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_long_value_travels_both_ways() {
    #[child_entry]
    fn reverses(mut bytes: Vec<u8>, text: &str) -> (Vec<u8>, String) {
        bytes.reverse();
        (bytes, text.to_uppercase())
    }
    let pool = pool().build().unwrap();
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|x| x as u8).collect();
    let text = "abc".repeat(50_000);
    let tasks: Vec<_> = (0..4).map(|_| pool.submit(reverses::call(bytes.clone(), &text)).unwrap()).collect();
    for task in tasks {
        let (reversed, upper) = task.join().unwrap();
        assert!(reversed.iter().eq(bytes.iter().rev()) && upper == text.to_uppercase());
    }
}

#[test]
fn many_threads_submit() {
    let pool = pool().build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for x in 0..50 {
                    assert_eq!(pool.submit(square::call(thread * x)).unwrap().join().unwrap(), (thread * x).pow(2));
                }
            });
        }
    });
    assert_eq!(pool.figures().done, 400);
}

/// Nobody waits for it, so the thread of its worker has to write what the connection did not take at once.
#[test]
fn a_long_task_for_which_nobody_waits() {
    #[child_entry]
    fn length(bytes: Vec<u8>) -> usize {
        bytes.len()
    }
    const LEN: usize = 20 << 20;
    let pool = pool().workers(1).build().unwrap();
    assert_eq!(pool.submit(square::call(2)).unwrap().join().unwrap(), 4);
    // After a few milliseconds in which there is nothing to do the thread waits for the worker, and for nothing else.
    std::thread::sleep(Duration::from_millis(50));
    let mut task = pool.submit(length::call(vec![1; LEN])).unwrap();
    assert_eq!(eventually("it is there without being waited for", || task.try_join().unwrap()), LEN);
}

/// What is read of several workers at one moment, while they go on.
#[test]
fn figures_add_up_at_any_time() {
    let pool = pool().build().unwrap();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            for x in 0..5_000 {
                assert_eq!(pool.submit(square::call(x)).unwrap().join().unwrap(), x * x);
            }
        });
        while !work.is_finished() {
            let figures = pool.figures();
            assert!(figures.running <= 2 && figures.queued <= 2, "{figures:?}");
        }
    });
}

#[test]
fn what_belongs_to_a_process_is_refused() {
    let pool = pool().build().unwrap();
    for call in [
        square::call(1).env("A", "b"),
        square::call(1).env_clear(),
        square::call(1).current_dir("/"),
        square::call(1).stdout(Stdio::null()),
        square::call(1).name("x"),
    ] {
        let error = pool.submit(call).unwrap_err();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Spawn, Some(square::NAME)));
        assert!(error.to_string().contains("Pool::builder()"), "{error}");
    }
    works(&pool);
}

#[test]
fn a_timeout_of_a_call_counts_for_its_task() {
    let pool = pool().build().unwrap();
    let error = pool.submit(sleeps::call(600_000).timeout(Duration::from_millis(50))).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::TimedOut, Some(sleeps::NAME)));
    works(&pool);
}

#[test]
fn cancelling_a_task_that_runs_and_one_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let pool = Pool::builder().workers(1).build().unwrap();
    let mut running = pool.submit(begins_and_waits::call(&begun, &dir.path().join("never"))).unwrap();
    let id = written_id(&begun);
    // One of them is with the worker already, others are in the queue.
    let mut waiting: Vec<_> = (0..4).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    for cancelled in [0, 2] {
        waiting[cancelled].cancel();
    }
    let mut waiting = waiting.into_iter();
    let error = waiting.next().unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Cancelled, Some(square::NAME)));
    assert!(pool.process_ids().contains(&id), "the worker was not killed for tasks that had not begun");
    running.cancel();
    let error = running.join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Cancelled, Some(begins_and_waits::NAME)));
    assert_eq!(waiting.next().unwrap().join().unwrap(), 1);
    assert_eq!(waiting.next().unwrap().join().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(waiting.next().unwrap().join().unwrap(), 9);
    eventually("its worker is gone", || (!spawnsafe_tests::is_running(id)).then_some(()));
}

#[test]
fn closing_and_joining() {
    let pool = pool().build().unwrap();
    let tasks: Vec<_> = (0..100).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    pool.close();
    let error = pool.submit(square::call(1)).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Closed, Some(square::NAME)));
    let mut map = pool.map(square::call, 0..);
    assert_eq!(map.next().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(map.next().is_none(), "an endless iterator does not give endless errors");
    drop(map);
    let ids = pool.process_ids();
    pool.join();
    assert!(ids.iter().all(|&id| spawnsafe_tests::is_gone(id)), "they have ended and are reaped");
    for (x, task) in (0..).zip(tasks) {
        assert_eq!(task.join().unwrap(), x * x);
    }
}

#[test]
fn shutting_down() {
    let in_time = pool().build().unwrap();
    let task = in_time.submit(square::call(3)).unwrap();
    in_time.shutdown(Duration::from_secs(60)).unwrap();
    assert_eq!(task.join().unwrap(), 9);

    let too_late = pool().build().unwrap();
    let tasks: Vec<_> = (0..5).map(|_| too_late.submit(sleeps::call(600_000)).unwrap()).collect();
    let error = too_late.shutdown(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    for task in tasks {
        assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn dropping() {
    let pool = pool().build().unwrap();
    works(&pool);
    let tasks: Vec<_> = (0..5).map(|_| pool.submit(sleeps::call(600_000)).unwrap()).collect();
    let ids = pool.process_ids();
    let start = Instant::now();
    drop(pool);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(ids.iter().all(|&id| spawnsafe_tests::is_gone(id)), "they were killed and reaped");
    for task in tasks {
        let error = task.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}

#[child_entry]
fn pool_inside(count: u64) -> Result<u64, spawnsafe::Error> {
    let pool = Pool::builder().workers(2).build()?;
    pool.map(square::call, 0..count).sum()
}

#[test]
fn a_pool_inside_a_worker() {
    let pool = pool().build().unwrap();
    let sums: Vec<u64> = pool.map(pool_inside::call, [10, 20, 30]).map(|sum| sum.unwrap().unwrap()).collect();
    assert_eq!(sums, [285, 2470, 8555]);
}

#[test]
fn a_task_that_is_dropped_runs_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool().build().unwrap();
    drop(pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap());
    written_id(&begun);
    std::fs::write(&go_on, "").unwrap();
    eventually("it ends", || (pool.figures().done == 1).then_some(()));
}

#[test]
fn idle_workers_that_are_killed_are_replaced() {
    let pool = pool().build().unwrap();
    works(&pool);
    drop(KillAll(pool.process_ids()));
    eventually("others are there", || (pool.figures().restarts == 2).then_some(()));
    works(&pool);
}
