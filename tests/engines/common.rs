//! The suite that all engines pass.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use spawnsafe::{Engine, ErrorKind, Pool, RemoteError, StartMethod, Stdio, child_entry, inherit, process_local};
use spawnsafe_tests::{eventually, is_running};

use super::{all_workers, begins_and_waits, pool, sleeps, square, works, written_ids};

/// A test of each function for an engine; one that is not there says so by itself.
macro_rules! suite {
    ($module:ident, $engine:expr) => {
        mod $module {
            use $crate::common;

            $crate::common::suite! { @tests $engine =>
                values, spread, long_values, panics, deaths, repeated_deaths, cancelled, cancelled_late, abandoned, too_long,
                statics, initializers, surroundings, forked, evenly, printed, joined, shut_down, shared
            }
        }
    };
    (@tests $engine:expr => $($test:ident),*) => {$(
        #[test]
        fn $test() {
            if let Some(engine) = $engine {
                common::$test(&engine);
            }
        }
    )*};
}
pub(crate) use suite;

mod engines {
    super::suite!(local, Some(spawnsafe::Engine::local()));
    super::suite!(one_command, Some(crate::command(1)));
    super::suite!(three_commands, Some(crate::command(3)));
}

pub(crate) fn values(engine: &Engine) {
    let pool = pool(engine).build().unwrap();
    assert_eq!(pool.submit(square::call(12)).unwrap().join().unwrap(), 144);
    works(&pool);
    let mut seen: Vec<usize> = Vec::new();
    for (position, squared) in pool.map_unordered(square::call, 0..2000) {
        assert_eq!(squared.unwrap(), (position * position) as u64);
        seen.push(position);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..2000), "each is there once");
    let figures = pool.figures();
    assert_eq!((figures.done, figures.failed, figures.queued, figures.running), (2201, 0, 0, 0));
    let mut endless = pool.map(square::call, 0..);
    assert_eq!(endless.nth(1000).unwrap().unwrap(), 1_000_000);
}

/// All workers of all nodes get something to do.
pub(crate) fn spread(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let go_on = dir.path().join("go on");
    let pool = pool(engine).build().unwrap();
    works(&pool);
    let workers = all_workers(&pool, engine);
    let begun: Vec<PathBuf> = (0..workers).map(|x| dir.path().join(x.to_string())).collect();
    let tasks: Vec<_> = begun.iter().map(|begun| pool.submit(begins_and_waits::call(begun, &go_on)).unwrap()).collect();
    let ids: BTreeSet<(u32, u32)> = begun.iter().map(|begun| written_ids(begun)).collect();
    assert_eq!(ids.len(), workers, "each task has a worker of its own");
    let agents: BTreeSet<u32> = ids.iter().map(|&(_, agent)| agent).collect();
    assert!(agents.len() * 2 == workers || agents.contains(&std::process::id()), "{ids:?}");
    std::fs::write(&go_on, "").unwrap();
    for task in tasks {
        assert!(ids.contains(&task.join().unwrap()));
    }
}

pub(crate) fn long_values(engine: &Engine) {
    #[child_entry]
    fn reverses(mut bytes: Vec<u8>, text: &str, numbers: Vec<(u64, String)>) -> (Vec<u8>, String, Vec<(u64, String)>) {
        bytes.reverse();
        (bytes, text.to_uppercase(), numbers)
    }
    let pool = pool(engine).build().unwrap();
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|x| x as u8).collect();
    let text = "abc".repeat(50_000);
    let numbers: Vec<(u64, String)> = (0..50_000).map(|x| (x, x.to_string())).collect();
    let call = || reverses::call(bytes.clone(), &text, numbers.clone());
    let tasks: Vec<_> = (0..4).map(|_| pool.submit(call()).unwrap()).collect();
    for task in tasks {
        let (reversed, upper, same) = task.join().unwrap();
        assert!(reversed.iter().eq(bytes.iter().rev()) && upper == text.to_uppercase() && same == numbers);
    }
}

#[child_entry]
fn panics_if_odd(x: u64) -> u64 {
    assert_ne!(x % 2, 1, "odd: {x}");
    x
}

pub(crate) fn panics(engine: &Engine) {
    let pool = pool(engine).build().unwrap();
    for (x, result) in (0..100).zip(pool.map(panics_if_odd::call, 0..100)) {
        match result {
            Ok(value) => assert!(value == x && x % 2 == 0),
            Err(error) => {
                assert_eq!((error.kind(), error.entry()), (ErrorKind::Panicked, Some(panics_if_odd::NAME)));
                let panic = error.panic().unwrap();
                assert!(panic.message().contains(&format!("odd: {x}")) && panic.file() == Some(file!()), "{error}");
            }
        }
    }
    works(&pool);
    let figures = pool.figures();
    assert_eq!((figures.failed, figures.restarts), (50, 0));
}

#[child_entry]
fn ends(how: u8) -> u64 {
    match how {
        0 => std::process::exit(3),
        _ => std::process::abort(),
    }
}

pub(crate) fn deaths(engine: &Engine) {
    let pool = pool(engine).build().unwrap();
    for how in 0..2 {
        let before: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let dying = pool.submit(ends::call(how)).unwrap();
        let after: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let error = dying.join().unwrap_err();
        let status = error.exit_status().unwrap();
        match how {
            0 => assert_eq!((error.kind(), status.code()), (ErrorKind::Exited, Some(3)), "{error}"),
            _ => assert_eq!((error.kind(), status.signal()), (ErrorKind::Signaled, Some(libc::SIGABRT)), "{error}"),
        }
        assert_eq!(error.entry(), Some(ends::NAME));
        if engine.to_string() != "local" {
            let text = error.to_string();
            assert!(
                text.contains("attempt 1") && text.contains("on_loss") && text.contains("node") || text.contains(" m"),
                "{text}"
            );
        }
        for (x, task) in (0..20).zip(before).chain((0..20).zip(after)) {
            assert_eq!(task.join().unwrap(), x * x, "way {how}");
        }
    }
    works(&pool);
}

/// Ends its process that many times, counting in a file, and then does not.
#[child_entry(on_loss = retry(3))]
fn dies_at_first(times: u64, path: &Path) -> u64 {
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
    if file.metadata().unwrap().len() <= times {
        std::process::abort();
    }
    file.metadata().unwrap().len()
}

pub(crate) fn repeated_deaths(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool(engine).build().unwrap();
    let twice = pool.submit(dies_at_first::call(2, &dir.path().join("twice"))).unwrap();
    assert_eq!(twice.join().unwrap(), 3);
    let too_often = dir.path().join("too often");
    let error = pool.submit(dies_at_first::call(9, &too_often)).unwrap().join().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signaled);
    assert!(engine.to_string() == "local" || error.to_string().contains("attempt 4"), "{error}");
    assert_eq!(std::fs::metadata(too_often).unwrap().len(), 4, "once, and three times again");
    works(&pool);
}

pub(crate) fn cancelled(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let go_on = dir.path().join("go on");
    let pool = pool(engine).build().unwrap();
    works(&pool);
    let workers = all_workers(&pool, engine);
    let begun: Vec<PathBuf> = (0..workers).map(|x| dir.path().join(x.to_string())).collect();
    let mut running: Vec<_> =
        begun.iter().map(|begun| pool.submit(begins_and_waits::call(begun, &go_on)).unwrap()).collect();
    let ids: Vec<(u32, u32)> = begun.iter().map(|begun| written_ids(begun)).collect();
    let mut waiting: Vec<_> = (0..20).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    for task in waiting.iter_mut().step_by(2) {
        task.cancel();
    }
    let mut cancelled = running.remove(0);
    cancelled.cancel();
    let error = cancelled.join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Cancelled, Some(begins_and_waits::NAME)), "{error}");
    eventually("its worker is gone", || (!is_running(ids[0].0)).then_some(()));
    for (x, task) in (0..20).zip(waiting) {
        match task.join() {
            Ok(value) => assert!(x % 2 == 1 && value == x * x, "{x} was cancelled"),
            Err(error) => assert_eq!((error.kind(), x % 2), (ErrorKind::Cancelled, 0), "{error}"),
        }
    }
    std::fs::write(&go_on, "").unwrap();
    for (task, ids) in running.into_iter().zip(&ids[1..]) {
        assert_eq!(task.join().unwrap(), *ids, "it was left alone");
    }
    works(&pool);
}

/// Cancelled when their answers are on the way already: nobody else is.
pub(crate) fn cancelled_late(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(engine).build().unwrap();
    works(&pool);
    let running = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let ids = written_ids(&begun);
    for x in 0..150 {
        let mut task = pool.submit(square::call(x)).unwrap();
        std::thread::sleep(Duration::from_micros(10 * x));
        task.cancel();
        match task.join() {
            Ok(value) => assert_eq!(value, x * x),
            Err(error) => assert_eq!((error.kind(), error.entry()), (ErrorKind::Cancelled, Some(square::NAME))),
        }
    }
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(running.join().unwrap(), ids, "it was left alone");
    works(&pool);
}

pub(crate) fn abandoned(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool(engine).build().unwrap();
    works(&pool);
    let path = dir.path().join("ran");
    #[child_entry]
    fn counts_runs(path: &Path, milliseconds: u64) {
        let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
        file.write_all(b"x").unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
    let mut map = pool.map(|time| counts_runs::call(&path, time), [0].into_iter().chain(std::iter::repeat(20)));
    map.next().unwrap().unwrap();
    drop(map);
    works(&pool);
    eventually("what runs has ended", || (pool.figures().running == 0 && pool.figures().queued == 0).then_some(()));
    let ran = std::fs::metadata(&path).unwrap().len();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), ran, "nothing has begun since");
}

pub(crate) fn too_long(engine: &Engine) {
    let limited = pool(engine).task_timeout(Duration::from_secs(2)).build().unwrap();
    works(&limited);
    let error = limited.submit(sleeps::call(600_000).timeout(Duration::from_millis(50))).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::TimedOut, Some(sleeps::NAME)), "{error}");
    let error = limited.submit(sleeps::call(600_000)).unwrap().join().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let mut task = limited.submit(sleeps::call(1500)).unwrap();
    assert_eq!(task.join_timeout(Duration::from_millis(5)).unwrap(), None);
    assert!(task.join_timeout(Duration::from_secs(60)).unwrap().is_some());
    works(&limited);
}

#[inherit]
static LEVEL: AtomicU64 = AtomicU64::new(0);

#[inherit]
static WORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[inherit]
static ONCE: OnceLock<u64> = OnceLock::new();

/// The tests that change inherited statics, which all of this process have in common.
static CHANGES: Mutex<()> = Mutex::new(());

#[child_entry]
fn inherited() -> (u64, Vec<String>, Option<u64>) {
    (LEVEL.load(Ordering::Relaxed), WORDS.lock().unwrap().clone(), ONCE.get().copied())
}

pub(crate) fn statics(engine: &Engine) {
    let _changes = CHANGES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    LEVEL.store(1, Ordering::Relaxed);
    WORDS.lock().unwrap().clear();
    let pool = pool(engine).build().unwrap();
    let (level, words, once) = pool.submit(inherited::call()).unwrap().join().unwrap();
    assert_eq!((level, words), (1, vec![]));
    assert_eq!(once, ONCE.get().copied());
    for level in 2..6 {
        LEVEL.store(level, Ordering::Relaxed);
        WORDS.lock().unwrap().push(level.to_string());
        let expected: Vec<String> = (2..=level).map(|level| level.to_string()).collect();
        for _ in 0..8 {
            let (found, words, _) = pool.submit(inherited::call()).unwrap().join().unwrap();
            assert_eq!((found, &words), (level, &expected));
        }
    }
    // One that can be set once, after workers were started: they are replaced.
    ONCE.get_or_init(|| 7);
    for _ in 0..8 {
        assert_eq!(pool.submit(inherited::call()).unwrap().join().unwrap().2, Some(7));
    }
}

#[process_local]
static MODEL: OnceLock<String> = OnceLock::new();

#[child_entry]
fn loads(name: &str, how: u8) -> Result<(), RemoteError> {
    match how {
        0 => MODEL.set(format!("model of {name}")).map_err(|_| RemoteError::msg("it was loaded before")),
        1 => Err(RemoteError::msg("there is no such model")),
        2 => panic!("the model is damaged"),
        _ => std::process::exit(9),
    }
}

#[child_entry]
fn model() -> Option<String> {
    MODEL.get().cloned()
}

pub(crate) fn initializers(engine: &Engine) {
    let fit = pool(engine).initializer(loads::call("x", 0)).build().unwrap();
    for model in fit.map(|()| model::call(), [(); 10]) {
        assert_eq!(model.unwrap().as_deref(), Some("model of x"));
    }
    let expected =
        [(ErrorKind::Spawn, "no such model"), (ErrorKind::Panicked, "is damaged"), (ErrorKind::Exited, "status 9")];
    for (how, (kind, text)) in (1..).zip(expected) {
        let unfit = pool(engine).initializer(loads::call("x", how)).build().unwrap();
        let tasks: Vec<_> = (0..5).map(|_| unfit.submit(model::call())).collect();
        for task in tasks {
            let error = task.and_then(|task| task.join()).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(text) && error.to_string().contains("given up"), "{error}");
        }
    }
}

#[child_entry]
fn tells_surroundings() -> (Option<String>, Option<String>, PathBuf, String, Vec<String>) {
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned();
    let variables = ["ENGINE_TEST", "HOME"].map(|name| std::env::var(name).ok());
    let [test, home] = variables;
    assert!(std::io::read_to_string(std::io::stdin()).unwrap().is_empty());
    assert!(std::env::vars().all(|(name, _)| !matches!(&*name, "SPAWNSAFE_AGENT" | "SPAWNSAFE_CHILD")));
    (test, home, std::env::current_dir().unwrap(), name, std::env::args().collect())
}

pub(crate) fn surroundings(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool(engine).env("ENGINE_TEST", "x y").env_remove("HOME").current_dir(dir.path()).name("my worker");
    let pool = pool.build().unwrap();
    let (test, home, directory, name, arguments) = pool.submit(tells_surroundings::call()).unwrap().join().unwrap();
    assert_eq!((test.as_deref(), home, &*name), (Some("x y"), None, "my worker"));
    assert_eq!(directory.canonicalize().unwrap(), dir.path().canonicalize().unwrap());
    assert_eq!(arguments, std::env::args().collect::<Vec<_>>());
    let nowhere = super::pool(engine).current_dir("/nowhere/at/all").build().unwrap();
    let error = nowhere.submit(square::call(1)).unwrap().join().unwrap_err();
    assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("/nowhere/at/all"), "{error}");
}

/// Where code is, which is the same in all processes that one has forked, and chosen at random for each that is executed.
#[child_entry]
fn address() -> u64 {
    address as *const () as usize as u64
}

pub(crate) fn forked(engine: &Engine) {
    let count = |method| {
        let pool = pool(engine).max_tasks_per_worker(1).start_method(method).build().unwrap();
        let addresses: BTreeSet<u64> = pool.map(|()| address::call(), [(); 12]).map(Result::unwrap).collect();
        (addresses.len(), all_workers(&pool, engine) / 2)
    };
    let (addresses, nodes) = count(StartMethod::Zygote);
    assert!(addresses <= nodes, "{addresses} zygotes on {nodes} nodes");
    assert!(count(StartMethod::Exec).0 > nodes);
}

/// Nobody has much to do while another one has nothing, whatever tasks have taken before.
pub(crate) fn evenly(engine: &Engine) {
    let pool = pool(engine).look_ahead(600).build().unwrap();
    let workers = all_workers(&pool, engine);
    for _ in 0..10 {
        works(&pool);
    }
    let mut tasks = BTreeMap::new();
    for ids in pool.map(sleeps::call, [10; 600]) {
        *tasks.entry(ids.unwrap().0).or_insert(0) += 1;
    }
    assert!(tasks.len() == workers && tasks.values().all(|&tasks| tasks > 300 / workers), "{tasks:?}");
}

/// What tasks print mixes with no frame.
pub(crate) fn printed(engine: &Engine) {
    #[child_entry]
    fn prints(text: &str) -> usize {
        print!("{text}");
        std::io::stdout().write_all(&[1; 1000]).unwrap();
        text.len()
    }
    let pool = pool(engine).stdout(Stdio::null()).build().unwrap();
    let inherited = super::pool(engine).build().unwrap();
    for pool in [&pool, &inherited] {
        for len in pool.map(prints::call, ["spw", "\x01spawnsafe-agt\n\x02", "\n"]) {
            len.unwrap();
        }
        works(pool);
    }
}

/// The agents and workers of a pool.
fn everybody(pool: &Pool) -> BTreeSet<u32> {
    let ids = pool.map(|()| sleeps::call(1), [(); 100]).map(Result::unwrap);
    let own = std::process::id();
    ids.flat_map(|(worker, agent)| [worker, agent]).chain(pool.process_ids()).filter(|&id| id != own).collect()
}

pub(crate) fn joined(engine: &Engine) {
    let pool = pool(engine).build().unwrap();
    let everybody = everybody(&pool);
    let tasks: Vec<_> = (0..100).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    pool.close();
    assert_eq!(pool.submit(square::call(1)).unwrap_err().kind(), ErrorKind::Closed);
    pool.join();
    for (x, task) in (0..).zip(tasks) {
        assert_eq!(task.join().unwrap(), x * x);
    }
    eventually("nobody is left", || everybody.iter().all(|&id| !is_running(id)).then_some(()));
}

pub(crate) fn shut_down(engine: &Engine) {
    let in_time = pool(engine).build().unwrap();
    let task = in_time.submit(square::call(3)).unwrap();
    in_time.shutdown(Duration::from_secs(60)).unwrap();
    assert_eq!(task.join().unwrap(), 9);

    let too_late = pool(engine).build().unwrap();
    let everybody = everybody(&too_late);
    let tasks: Vec<_> = (0..5).map(|_| too_late.submit(sleeps::call(600_000)).unwrap()).collect();
    assert_eq!(too_late.shutdown(Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::TimedOut);
    for task in tasks {
        assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Cancelled);
    }
    eventually("nobody is left", || everybody.iter().all(|&id| !is_running(id)).then_some(()));

    let dropped = pool(engine).build().unwrap();
    let everybody = super::common::everybody(&dropped);
    let task = dropped.submit(sleeps::call(600_000)).unwrap();
    drop(dropped);
    assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Closed);
    eventually("nobody is left", || everybody.iter().all(|&id| !is_running(id)).then_some(()));
}

/// Short tasks that have gone to a node ahead do not wait there behind long ones while another worker is free.
pub(crate) fn shared(engine: &Engine) {
    let dir = tempfile::tempdir().unwrap();
    let go_on = dir.path().join("go on");
    let pool = pool(engine).build().unwrap();
    works(&pool);
    // So that it is known that tasks are short, and many go ahead.
    for x in 0..3000 {
        drop(pool.submit(square::call(x)).unwrap());
    }
    works(&pool);
    let workers = all_workers(&pool, engine);
    let long: Vec<PathBuf> = (1..workers).map(|x| dir.path().join(x.to_string())).collect();
    let mut tasks = Vec::new();
    for begun in &long {
        tasks.push(pool.submit(begins_and_waits::call(begun, &go_on)).unwrap());
        for x in 0..20 {
            drop(pool.submit(square::call(x)).unwrap());
        }
    }
    let squares: Vec<u64> = pool.map(square::call, 0..500).collect::<Result<_, _>>().unwrap();
    assert_eq!(squares.len(), 500);
    std::fs::write(&go_on, "").unwrap();
    for task in tasks {
        task.join().unwrap();
    }
}
