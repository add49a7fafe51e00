//! Many tasks: order, laziness, bounds, and early ends.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use spawnsafe::{ErrorKind, RemoteError, child_entry};
use spawnsafe_tests::{DEADLINE, eventually};

use super::{begins_and_waits, pool, sleeps, square, works};

#[test]
fn results_come_in_order() {
    let pool = pool().build().unwrap();
    let squares: Vec<u64> = pool.map(square::call, 0..20_000).collect::<Result<_, _>>().unwrap();
    assert!(squares.into_iter().eq((0..20_000).map(|x| x * x)));
    assert_eq!(pool.map(square::call, []).count(), 0);
}

#[test]
fn results_come_as_they_finish() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool().build().unwrap();
    let inputs: Vec<u64> = (0..500).collect();
    let calls = |x: u64| square::call(x);
    let slow = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let all: BTreeSet<(usize, u64)> = pool.map_unordered(calls, inputs).map(|(at, x)| (at, x.unwrap())).collect();
    assert!(all.into_iter().eq((0..500).map(|x| (x, (x * x) as u64))));
    std::fs::write(&go_on, "").unwrap();
    slow.join().unwrap();
}

#[child_entry]
fn fails_on_odd(x: u64) -> Result<u64, RemoteError> {
    assert_ne!(x % 7, 3, "{x} is bad");
    if x % 2 == 0 { Ok(x) } else { Err(RemoteError::msg("odd")) }
}

#[test]
fn what_fails_is_an_error_in_its_place() {
    let pool = pool().build().unwrap();
    for (x, result) in (0..100).zip(pool.map(fails_on_odd::call, 0..100)) {
        match result {
            Err(error) => {
                assert_eq!((x % 7, error.kind()), (3, ErrorKind::Panicked));
                assert_eq!(error.panic().unwrap().file(), Some(file!()));
                assert!(error.panic().unwrap().message().contains(&format!("{x} is bad")));
            }
            Ok(result) => assert_eq!(result.is_ok(), x % 2 == 0),
        }
    }
    assert_eq!(pool.figures().restarts, 0, "a panic keeps the worker");
}

/// Where standard error is no terminal, as here, it is silent.
#[cfg(feature = "progress")]
#[test]
fn a_map_with_a_bar_gives_the_same_results() {
    let pool = pool().build().unwrap();
    let squares: Vec<u64> = pool.map(square::call, 0..100).with_progress("squaring").map(Result::unwrap).collect();
    assert!(squares.into_iter().eq((0..100).map(|x| x * x)));
    let mut some = pool.map_unordered(fails_on_odd::call, 0..).with_progress("trying").take(50);
    assert!(some.any(|(_, result)| result.is_err()));
}

/// Counts how often it was asked.
fn counting(count: &Rc<Cell<u64>>) -> impl Iterator<Item = u64> {
    let count = Rc::clone(count);
    std::iter::repeat_with(move || count.replace(count.get() + 1))
}

#[test]
fn an_endless_iterator_is_read_so_far_ahead_and_no_further() {
    let taken = Rc::new(Cell::new(0));
    let pool = pool().look_ahead(10).build().unwrap();
    let mut map = pool.map(square::call, counting(&taken));
    assert_eq!(taken.get(), 0, "nothing runs until it is asked for results");
    for x in 0..1000 {
        assert_eq!(map.next().unwrap().unwrap(), x * x);
        assert!(taken.get() <= x + 11, "{} inputs were taken for {} results", taken.get(), x + 1);
    }
    drop(map);
    // Without a bound that was chosen, one that the workers' needs set.
    let (taken, pool) = (Rc::new(Cell::new(0)), super::pool().build().unwrap());
    let mut map = pool.map(|x| sleeps::call(x % 2), counting(&taken));
    for _ in 0..50 {
        map.next().unwrap().unwrap();
    }
    assert!(taken.get() < 1000, "{}", taken.get());
}

#[test]
fn long_arguments_bound_it_as_well() {
    #[child_entry]
    fn len(bytes: &[u8]) -> usize {
        bytes.len()
    }
    let taken = Rc::new(Cell::new(0));
    let pool = pool().build().unwrap();
    let mut map = pool.map(|x| len::call(&vec![x as u8; 1 << 20]), counting(&taken));
    for _ in 0..100 {
        assert_eq!(map.next().unwrap().unwrap(), 1 << 20);
    }
    assert!(taken.get() < 200, "{}", taken.get());
}

#[test]
fn slow_inputs_do_not_keep_results_back() {
    let pool = pool().build().unwrap();
    let (seen, start) = (Cell::new(0), Instant::now());
    // They never end: only what does not wait for more of them gives a result.
    let inputs = (0_u64..).inspect(|x| {
        std::thread::sleep(Duration::from_millis(5));
        assert!(start.elapsed() < DEADLINE, "{x} inputs were taken for {} results", seen.get());
    });
    for result in pool.map(square::call, inputs).take(20) {
        result.unwrap();
        seen.set(seen.get() + 1);
    }
    assert_eq!(seen.get(), 20);
}

#[test]
fn dropping_the_iterator_stops_the_work_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let go_on = dir.path().join("go on");
    let begun = |x: u32| dir.path().join(x.to_string());
    let pool = pool().look_ahead(50).build().unwrap();
    let mut map = pool.map_unordered(|x| begins_and_waits::call(&begun(x), &go_on), 0..50);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("two tasks begin", || (std::fs::read_dir(dir.path()).unwrap().count() == 2).then_some(()));
            std::fs::write(&go_on, "").unwrap();
        });
        map.next().unwrap().1.unwrap();
    });
    drop(map);
    eventually("no task is left", || {
        let figures = pool.figures();
        (figures.queued == 0 && figures.running == 0).then_some(())
    });
    works(&pool);
}

/// Leaves a file behind; a second time it fails.
#[child_entry]
fn runs_once(dir: &Path, number: u64) {
    std::fs::File::create_new(dir.join(number.to_string())).unwrap();
}

#[test]
fn maps_within_maps_and_from_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().build().unwrap();
    // The inputs of one are the results of another, and others run meanwhile.
    std::thread::scope(|scope| {
        for start in [0, 1000, 2000] {
            let (pool, dir) = (&pool, dir.path());
            scope.spawn(move || {
                let inner = pool.map(square::call, start..start + 100).map(Result::unwrap);
                for done in pool.map(|x| runs_once::call(dir, x), inner) {
                    let sum: u64 = pool.map_unordered(square::call, [1, 2, 3]).map(|(_, x)| x.unwrap()).sum();
                    assert_eq!(sum, 14);
                    done.unwrap();
                }
            });
        }
    });
    // Each ran, and none twice.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 300);
}

#[test]
fn a_panic_in_the_inputs_leaves_the_pool_as_it_was() {
    let pool = pool().build().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.map(square::call, (0..10_000).map(|x| if x == 5000 { std::panic::panic_any(7_u8) } else { x })).count()
    }));
    assert!(panicked.is_err());
    works(&pool);
}

#[test]
fn tasks_of_mixed_length_keep_all_workers_busy() {
    let pool = pool().build().unwrap();
    works(&pool);
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    // Short ones first, so that many are given at once; then one that only ends when all the others have.
    let all = 2000;
    let mut done = 0;
    let calls = |x: u64| if x == 1000 { begins_and_waits_long(&begun, &go_on) } else { square::call(x) };
    for (_, result) in pool.map_unordered(calls, 0..all) {
        result.unwrap();
        done += 1;
        if done == all - 1 {
            std::fs::write(&go_on, "").unwrap();
        }
    }
    assert_eq!(done, all);
}

/// A long task that is the first keeps the results of the others back, and not the others themselves.
#[test]
fn a_long_task_at_the_start_of_an_ordered_map() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool().build().unwrap();
    works(&pool);
    let before = pool.figures().done;
    let calls = |x: u64| if x == 0 { begins_and_waits_long(&begun, &go_on) } else { square::call(x) };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("all others are done", || (pool.figures().done == before + 199).then_some(()));
            std::fs::write(&go_on, "").unwrap();
        });
        let results: Vec<u64> = pool.map(calls, 0..200).map(Result::unwrap).collect();
        assert!(results[1..].iter().copied().eq((1..200).map(|x| x * x)));
    });
}

fn begins_and_waits_long(begun: &Path, go_on: &Path) -> spawnsafe::Call<u64> {
    #[child_entry]
    fn waits(begun: &Path, go_on: &Path) -> u64 {
        u64::from(begins_and_waits(begun, go_on))
    }
    waits::call(begun, go_on)
}
