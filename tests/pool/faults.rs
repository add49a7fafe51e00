//! Each fault ends in an error of the task concerned, at once, and the pool works on.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spawnsafe::{Error, ErrorKind, Pool, SpawnSafe, Stdio, child_entry};
use spawnsafe_tests::{KillAll, eventually};

use super::{begins_and_waits, pool, process_id, signal, sleeps, square, works, written_id};

/// Ends the process in the middle of a task, in each way there is.
#[child_entry]
fn ends(how: u8, tries: u64) -> u64 {
    match how {
        0 => signal(std::process::id(), libc::SIGKILL),
        1 => std::process::exit(3),
        2 => std::process::abort(),
        3 => signal(std::process::id(), libc::SIGSEGV),
        4 => return spawnsafe_tests::overflow_the_stack(tries),
        5 => drop(std::hint::black_box(vec![1_u8; 1 << 31])),
        _ => unreachable!(),
    }
    loop {
        std::thread::sleep(Duration::from_secs(600));
    }
}

#[test]
fn a_worker_that_dies_fails_its_task_and_no_other() {
    let pool = pool().memory_limit(1 << 30).build().unwrap();
    for how in 0..6 {
        let before: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let dying = pool.submit(ends::call(how, 0)).unwrap();
        let after: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let error = dying.join().unwrap_err();
        assert_eq!(error.entry(), Some(ends::NAME));
        let (kind, status) = (error.kind(), error.exit_status().unwrap());
        match how {
            0 => assert_eq!((kind, status.signal()), (ErrorKind::Signaled, Some(libc::SIGKILL))),
            1 => assert_eq!((kind, status.code()), (ErrorKind::Exited, Some(3))),
            2 | 5 => assert_eq!((kind, status.signal()), (ErrorKind::Signaled, Some(libc::SIGABRT))),
            3 => assert_eq!((kind, status.signal()), (ErrorKind::Signaled, Some(libc::SIGSEGV))),
            _ => assert_eq!(kind, ErrorKind::Signaled),
        }
        for (x, task) in (0..20).zip(before).chain((0..20).zip(after)) {
            assert_eq!(task.join().unwrap(), x * x, "way {how}");
        }
    }
    works(&pool);
    assert_eq!(pool.figures().restarts, 6);
    assert_eq!(pool.figures().failed, 6);
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
        signal(id, libc::SIGKILL);
        match task.join() {
            Ok(value) => assert!(value.len() == LEN && value.iter().all(|&byte| byte == 7)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Signaled, "{error}");
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

#[test]
fn an_endless_loop_and_tasks_behind_it() {
    let pool = Pool::builder().workers(1).task_timeout(Duration::from_millis(300)).build().unwrap();
    let loops = [pool.submit(spins::call()).unwrap(), pool.submit(spins::call()).unwrap()];
    // They wait for longer than they may run.
    let behind: Vec<_> = (0..10).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    for task in loops {
        let error = task.join().unwrap_err();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::TimedOut, Some(spins::NAME)));
    }
    for (x, task) in (0..).zip(behind) {
        assert_eq!(task.join().unwrap(), x * x);
    }
    assert_eq!(pool.figures().restarts, 2);
}

#[test]
fn a_worker_that_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let pool = pool().task_timeout(Duration::from_millis(300)).build().unwrap();
    works(&pool);
    let task = pool.submit(begins_and_waits::call(&begun, &dir.path().join("never"))).unwrap();
    signal(written_id(&begun), libc::SIGSTOP);
    assert_eq!(task.join().unwrap_err().kind(), ErrorKind::TimedOut);
    works(&pool);
    // Stopped while it has nothing to do: it never begins what it is given, and others run that.
    for id in pool.process_ids() {
        signal(id, libc::SIGSTOP);
    }
    works(&pool);
}

/// Writes nonsense to every descriptor, or closes every one.
#[child_entry]
fn ruins_descriptors(closes: bool, waits: bool) -> u8 {
    for fd in 3..1024 {
        #[allow(unsafe_code)]
        if closes {
            // SAFETY: the process is a worker that is to be ruined: closing what others own is what is tested.
            unsafe { libc::close(fd) };
        } else {
            // SAFETY: as above; write(2) reads the text.
            unsafe { libc::write(fd, c"garbage, and more of it".as_ptr().cast(), 23) };
        }
    }
    if waits {
        std::thread::sleep(Duration::from_secs(600));
    }
    1
}

#[test]
fn a_task_that_writes_to_every_descriptor() {
    let pool = pool().build().unwrap();
    let task = pool.submit(ruins_descriptors::call(false, true)).unwrap();
    let others: Vec<_> = (0..50).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    let error = task.join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Protocol, Some(ruins_descriptors::NAME)), "{error}");
    assert!(others.into_iter().zip(0..).all(|(task, x)| task.join().unwrap() == x * x));
    works(&pool);
}

#[test]
fn a_task_that_closes_every_descriptor() {
    let pool = pool().build().unwrap();
    let error = pool.submit(ruins_descriptors::call(true, true)).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Closed, Some(ruins_descriptors::NAME)), "{error}");
    works(&pool);
    // Its answer needs no descriptor.
    assert_eq!(pool.submit(ruins_descriptors::call(true, false)).unwrap().join().unwrap(), 1);
    works(&pool);
}

/// Leaves a process behind that has all descriptors of the worker, and ends.
#[child_entry]
fn leaves_a_copy(path: &Path) -> u8 {
    #[allow(unsafe_code)]
    // SAFETY: the copy only sleeps, which is allowed after fork(2) in any program.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        // For longer than any test.
        std::thread::sleep(Duration::from_secs(3600));
    }
    std::fs::write(path, copy.to_string()).unwrap();
    std::process::abort()
}

#[test]
fn a_grandchild_that_holds_the_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy");
    let pool = pool().build().unwrap();
    let error = pool.submit(leaves_a_copy::call(&path)).unwrap().join().unwrap_err();
    let copy = KillAll(vec![written_id(&path)]);
    assert_eq!(error.kind(), ErrorKind::Signaled);
    works(&pool);
    drop(copy);
}

#[child_entry]
fn bad_initializer(how: u8, path: &Path) -> Result<(), String> {
    use std::io::Write as _;
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
    match how {
        0 => panic!("no model"),
        1 => std::process::exit(4),
        2 => loop {
            std::thread::sleep(Duration::from_secs(600));
        },
        _ => Err("no such file".into()),
    }
}

#[test]
fn an_initializer_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    for (how, kind) in
        [ErrorKind::Panicked, ErrorKind::Exited, ErrorKind::TimedOut, ErrorKind::Spawn].iter().enumerate()
    {
        let path = dir.path().join(how.to_string());
        let pool = pool().initializer(bad_initializer::call(how as u8, &path));
        let pool =
            pool.initializer_timeout(Duration::from_millis(if how == 2 { 200 } else { 60_000 })).build().unwrap();
        // The pool may have given up before.
        let tasks: Vec<_> = (0..10).map(|x| pool.submit(square::call(x))).collect();
        for task in tasks {
            let error = task.and_then(spawnsafe::Task::join).unwrap_err();
            assert_eq!(error.kind(), *kind, "{error}");
            assert!(error.to_string().contains("bad_initializer"), "{error}");
        }
        let error = pool.submit(square::call(1)).unwrap_err();
        assert_eq!(error.kind(), *kind, "{error}");
        // One that was being started when the pool gave up may come to that only now.
        drop(pool);
        let started = std::fs::read(&path).unwrap().len();
        assert!((5..=7).contains(&started), "{started} workers were started");
    }
}

#[child_entry]
fn fails_twice(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
    assert!(file.metadata().unwrap().len() > 2, "not yet");
}

#[test]
fn an_initializer_that_works_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().initializer(fails_twice::call(&dir.path().join("count"))).build().unwrap();
    assert_eq!(pool.submit(square::call(4)).unwrap().join().unwrap(), 16);
    works(&pool);
}

#[child_entry]
fn notes_and_dies_at(path: &Path, number: u32, dies_at: u32) -> u32 {
    use std::io::Write as _;
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    // In one write, as others append as well.
    file.write_all(format!("{number}\n").as_bytes()).unwrap();
    if number == dies_at {
        std::process::abort();
    }
    number
}

#[test]
fn ten_thousand_tasks_and_a_worker_that_dies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let pool = pool().build().unwrap();
    let tasks: Vec<_> = (0..10_000).map(|x| pool.submit(notes_and_dies_at::call(&path, x, 5000)).unwrap()).collect();
    let results: Vec<_> = tasks.into_iter().map(spawnsafe::Task::join).collect();
    for (x, result) in (0..).zip(results) {
        match result {
            Ok(value) => assert_eq!(value, x),
            Err(error) => assert_eq!((x, error.kind()), (5000, ErrorKind::Signaled)),
        }
    }
    // Each was run, and none twice.
    let text = std::fs::read_to_string(path).unwrap();
    let mut numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..10_000));
}

#[test]
fn all_workers_die_at_once_and_again() {
    let pool = pool().build().unwrap();
    works(&pool);
    let mut map = pool.map(|()| process_id::call(), std::iter::repeat(()));
    let (mut failed, start) = (0, Instant::now());
    while failed < 6 {
        if let Some(Err(error)) = map.next() {
            assert_eq!(error.kind(), ErrorKind::Signaled, "{error}");
            failed += 1;
        }
        assert!(start.elapsed() < spawnsafe_tests::DEADLINE);
        for id in pool.process_ids() {
            signal(id, libc::SIGKILL);
        }
    }
    drop(map);
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
    assert_eq!(error.exit_status().unwrap().signal(), Some(libc::SIGABRT));
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
