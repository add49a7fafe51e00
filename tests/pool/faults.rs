//! Each fault ends in an error of the task concerned, at once, and the pool works on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spawnsafe::{Error, ErrorKind, ExitStatus, Pool, SpawnSafe, Stdio, child_entry};
use spawnsafe_tests::{eventually, is_abort, is_wine, kill};

use super::{KILLED, pool, sleeps, square, works, written_id};

/// Ends the process in the middle of a task, in each way there is.
#[child_entry]
fn ends(how: u8, tries: u64) -> u64 {
    match how {
        0 => kill(std::process::id()),
        1 => std::process::exit(3),
        2 => std::process::abort(),
        3 => touches_what_is_not_there(),
        4 => return spawnsafe_tests::overflow_the_stack(tries),
        5 => drop(std::hint::black_box(vec![1_u8; 1 << 31])),
        _ => unreachable!(),
    }
    loop {
        std::thread::sleep(Duration::from_secs(600));
    }
}

fn touches_what_is_not_there() {
    #[allow(unsafe_code)]
    // SAFETY: nothing is mapped at this address on any system: the process ends here, which is the point.
    unsafe {
        std::ptr::without_provenance_mut::<u8>(8).write_volatile(1);
    }
}

/// Whether a process that ended so has touched what is not there.
fn is_fault(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return status.signal() == Some(libc::SIGSEGV);
    #[cfg(windows)]
    return status.exception() == Some(0xC000_0005);
}

#[test]
fn a_worker_that_dies_fails_its_task_and_no_other() {
    let pool = pool().memory_limit(1 << 30).build().unwrap();
    // Wine has no limit of memory.
    let ways = if is_wine() { 5 } else { 6 };
    for how in 0..ways {
        let before: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let dying = pool.submit(ends::call(how, 0)).unwrap();
        let after: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let error = dying.join().unwrap_err();
        assert_eq!(error.entry(), Some(ends::NAME));
        let (kind, status) = (error.kind(), error.exit_status().unwrap());
        match how {
            0 => assert_eq!(kind, KILLED, "{error}"),
            1 => assert_eq!((kind, status.code()), (ErrorKind::Exited, Some(3))),
            2 | 5 => assert!(kind == ErrorKind::Signaled && is_abort(status), "{error}"),
            3 => assert!(kind == ErrorKind::Signaled && is_fault(status), "{error}"),
            // Under Wine the process exits with 0.
            _ => assert_eq!(kind, if is_wine() { ErrorKind::Exited } else { ErrorKind::Signaled }, "{error}"),
        }
        for (x, task) in (0..20).zip(before).chain((0..20).zip(after)) {
            assert_eq!(task.join().unwrap(), x * x, "way {how}");
        }
    }
    works(&pool);
    assert_eq!(pool.figures().restarts, u64::from(ways));
    assert_eq!(pool.figures().failed, u64::from(ways));
}

#[child_entry]
fn sends_much(len: usize, begun: &Path) -> Vec<u8> {
    std::fs::write(begun, std::process::id().to_string()).unwrap();
    vec![7; len]
}

#[test]
fn a_worker_that_is_killed_while_it_sends_its_result() {
    const LEN: usize = 256 << 20;
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().build().unwrap();
    let mut early = 0;
    for delay in [0, 20, 60, 100, 200] {
        let begun = dir.path().join(delay.to_string());
        let task = pool.submit(sends_much::call(LEN, &begun)).unwrap();
        let id = written_id(&begun);
        std::thread::sleep(Duration::from_millis(delay));
        kill(id);
        match task.join() {
            Ok(value) => assert!(value.len() == LEN && value.iter().all(|&byte| byte == 7)),
            Err(error) => {
                assert_eq!(error.kind(), KILLED, "{error}");
                early += 1;
            }
        }
    }
    assert!(early > 0);
    works(&pool);
}

/// A value whose encoding, or decoding, fails.
#[derive(Debug)]
enum Odd {
    FailsToEncode,
    FailsToDecode,
}

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Odd::FailsToEncode => Err(serde::ser::Error::custom("this one cannot be encoded")),
            Odd::FailsToDecode => serializer.serialize_u8(1),
        }
    }
}

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer)?;
        Err(serde::de::Error::custom("this one cannot be decoded"))
    }
}

impl SpawnSafe for Odd {}

#[child_entry]
fn gives_odd(encodes: bool) -> Result<u8, Odd> {
    Err(if encodes { Odd::FailsToDecode } else { Odd::FailsToEncode })
}

#[child_entry]
fn takes_odd(odd: Odd) -> u8 {
    matches!(odd, Odd::FailsToDecode).into()
}

#[test]
fn what_cannot_be_encoded_or_decoded() {
    let pool = pool().build().unwrap();
    let kind = |task: Result<spawnsafe::Task<_>, Error>| task.unwrap().join().map(|_: Result<u8, Odd>| ()).unwrap_err();
    let error = kind(pool.submit(gives_odd::call(false)));
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(gives_odd::NAME)));
    let error = kind(pool.submit(gives_odd::call(true)));
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Decode, Some(gives_odd::NAME)));
    let error = pool.submit(takes_odd::call(Odd::FailsToEncode)).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(takes_odd::NAME)));
    let error = pool.submit(takes_odd::call(Odd::FailsToDecode)).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Decode, Some(takes_odd::NAME)));
    works(&pool);
    assert_eq!(pool.figures().restarts, 0);
}

#[child_entry]
fn spins() {
    loop {
        std::hint::spin_loop();
    }
}

/// Two endless loops, and ten tasks that wait for longer than they may run. `false` if one of these was too slow by itself, as it
/// may be on a busy machine.
fn loops_within(limit: Duration) -> bool {
    let pool = Pool::builder().workers(1).task_timeout(limit).build().unwrap();
    let loops = [pool.submit(spins::call()).unwrap(), pool.submit(spins::call()).unwrap()];
    let behind: Vec<_> = (0..10).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    for task in loops {
        let error = task.join().unwrap_err();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::TimedOut, Some(spins::NAME)));
    }
    let mut too_slow = 0;
    for (x, task) in (0..).zip(behind) {
        match task.join() {
            Ok(square) => assert_eq!(square, x * x),
            Err(error) if error.kind() == ErrorKind::TimedOut => too_slow += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(pool.figures().restarts, 2 + too_slow);
    too_slow == 0
}

#[test]
fn an_endless_loop_and_tasks_behind_it() {
    assert!([300, 3_000, 30_000].into_iter().any(|limit| loops_within(Duration::from_millis(limit))));
}

/// Leaves a file in the directory, beside those of others; how many were there.
fn counts(dir: &Path) -> usize {
    (0..).find(|number: &usize| std::fs::File::create_new(dir.join(number.to_string())).is_ok()).unwrap()
}

fn count(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[child_entry]
fn bad_initializer(how: u8, dir: &Path) -> Result<(), String> {
    counts(dir);
    match how {
        0 => panic!("no model"),
        1 => std::process::exit(4),
        2 => loop {
            std::thread::sleep(Duration::from_secs(600));
        },
        _ => Err("no such file".into()),
    }
}

/// Makes a pool whose initializer fails, and tells how many workers have come to begin it.
fn fails_to_begin(how: u8, kind: ErrorKind, timeout: Duration) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().initializer(bad_initializer::call(how, dir.path())).initializer_timeout(timeout).build().unwrap();
    // The pool may have given up before.
    let tasks: Vec<_> = (0..10).map(|x| pool.submit(square::call(x))).collect();
    for task in tasks {
        let error = task.and_then(spawnsafe::Task::join).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("bad_initializer"), "{error}");
    }
    let error = pool.submit(square::call(1)).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    // One that was being started when the pool gave up may come to that only now.
    drop(pool);
    let started = count(dir.path());
    assert!(started <= 7, "{started} workers were started");
    started
}

#[test]
fn an_initializer_that_fails() {
    for (how, kind) in [(0, ErrorKind::Panicked), (1, ErrorKind::Exited), (3, ErrorKind::Spawn)] {
        let started = fails_to_begin(how, kind, spawnsafe_tests::DEADLINE);
        assert!(started >= 5, "{started} workers were started");
    }
}

/// A process of a busy machine may take longer to come to its initializer than that may take.
#[test]
fn an_initializer_that_takes_too_long() {
    let all_begin = |timeout| fails_to_begin(2, ErrorKind::TimedOut, Duration::from_millis(timeout)) >= 5;
    assert!([200, 2_000, 20_000].into_iter().any(all_begin));
}

#[child_entry]
fn fails_twice(dir: &Path) {
    assert!(counts(dir) >= 2, "not yet");
}

#[test]
fn an_initializer_that_works_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().initializer(fails_twice::call(dir.path())).build().unwrap();
    assert_eq!(pool.submit(square::call(4)).unwrap().join().unwrap(), 16);
    works(&pool);
}

/// Leaves a file behind; a second time it fails.
#[child_entry]
fn runs_once_or_dies(dir: &Path, number: u32, dies_at: u32) -> u32 {
    std::fs::File::create_new(dir.join((number / 100).to_string()).join(number.to_string())).unwrap();
    if number == dies_at {
        std::process::abort();
    }
    number
}

#[test]
fn ten_thousand_tasks_and_a_worker_that_dies() {
    let dir = tempfile::tempdir().unwrap();
    let hundreds: Vec<_> = (0..100).map(|number| dir.path().join(number.to_string())).collect();
    hundreds.iter().for_each(|hundred| std::fs::create_dir(hundred).unwrap());
    let pool = pool().build().unwrap();
    let tasks: Vec<_> =
        (0..10_000).map(|x| pool.submit(runs_once_or_dies::call(dir.path(), x, 5000)).unwrap()).collect();
    let results: Vec<_> = tasks.into_iter().map(spawnsafe::Task::join).collect();
    for (x, result) in (0..).zip(results) {
        match result {
            Ok(value) => assert_eq!(value, x),
            Err(error) => assert_eq!((x, error.kind()), (5000, ErrorKind::Signaled)),
        }
    }
    // Each was run, and none twice.
    assert!(hundreds.iter().all(|hundred| count(hundred) == 100));
}

#[test]
fn all_workers_die_at_once_and_again() {
    let pool = pool().build().unwrap();
    works(&pool);
    let is_done = AtomicBool::new(false);
    let errors: Vec<Error> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                // Sooner or later both run a task that does not end.
                if pool.figures().running == 2 {
                    pool.process_ids().into_iter().for_each(kill);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let map = pool.map(|x| sleeps::call(if x % 3 == 0 { 600_000 } else { 0 }), 0_u64..);
        let errors = map.filter_map(Result::err).take(6).collect();
        is_done.store(true, Ordering::Relaxed);
        errors
    });
    assert!(errors.iter().all(|error| error.kind() == KILLED), "{errors:?}");
    // Workers may have begun tasks that do not end, in the moment before the map was dropped.
    eventually("nothing is left of the map", || {
        let is_over = pool.figures().running == 0;
        if !is_over {
            pool.process_ids().into_iter().for_each(kill);
        }
        is_over.then_some(())
    });
    works(&pool);
}

#[test]
fn panics_that_abort() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    #[child_entry]
    fn panics_twice() {
        let _second = PanicsOnDrop;
        panic!("first");
    }
    let pool = pool().build().unwrap();
    let error = pool.submit(panics_twice::call()).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Panicked, Some(panics_twice::NAME)));
    assert!(is_abort(error.exit_status().unwrap()), "{error}");
    works(&pool);
}

#[test]
fn an_error_names_no_other_entry() {
    let pool = Pool::builder().workers(1).stderr(Stdio::null()).build().unwrap();
    let tasks = [pool.submit(ends::call(1, 0)).unwrap(), pool.submit(sleeps::call(1)).unwrap()];
    let names: Vec<_> =
        tasks.into_iter().map(|task| task.join().map_err(|error| error.entry().map(str::to_owned))).collect();
    assert_eq!(names, [Err(Some(ends::NAME.to_owned())), Ok(1)]);
    eventually("its worker is replaced", || (pool.figures().restarts == 1).then_some(()));
}
