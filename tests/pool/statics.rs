//! What tasks find in statics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use spawnsafe::{ErrorKind, Pool, RemoteError, Stdio, child_entry, inherit, process_local};

#[process_local]
static MODEL: OnceLock<String> = OnceLock::new();

#[process_local]
static SEEN: AtomicU64 = AtomicU64::new(0);

#[child_entry]
fn load(name: &str) -> Result<(), RemoteError> {
    MODEL.set(format!("model of {name}")).map_err(|_| RemoteError::msg("it was loaded before"))
}

#[child_entry]
fn model() -> Option<String> {
    MODEL.get().cloned()
}

#[child_entry]
fn counts() -> u64 {
    SEEN.fetch_add(1, Ordering::Relaxed) + 1
}

#[test]
fn an_initializer_fills_what_tasks_find() {
    let pool = Pool::builder().workers(1).initializer(load::call("x")).build().unwrap();
    assert_eq!(pool.submit(model::call()).unwrap().join().unwrap().as_deref(), Some("model of x"));
    assert_eq!(MODEL.get(), None);
    // What a task leaves in a static stays.
    let counts: Vec<u64> = pool.map(|()| counts::call(), [(); 3]).map(Result::unwrap).collect();
    assert_eq!(counts, [1, 2, 3]);
}

#[inherit]
static LEVEL: AtomicU64 = AtomicU64::new(0);

#[inherit]
static WORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[inherit]
static ONCE: OnceLock<u64> = OnceLock::new();

#[child_entry]
fn inherited() -> (u64, Vec<String>, Option<u64>) {
    (LEVEL.load(Ordering::Relaxed), WORDS.lock().unwrap().clone(), ONCE.get().copied())
}

#[child_entry]
fn changes_words() -> usize {
    let mut words = WORDS.lock().unwrap();
    words.push("of the worker".into());
    words.len()
}

#[child_entry]
fn poisons_words() {
    let _guard = WORDS.lock().unwrap();
    panic!("with the lock held");
}

/// One test, as the statics are those of the whole test binary.
#[test]
fn inherited_statics_are_those_of_the_moment_of_submission() {
    let pool = Pool::builder().workers(1).stderr(Stdio::null()).build().unwrap();
    let ask = || pool.submit(inherited::call()).unwrap();
    let (first, second);
    assert_eq!(ask().join().unwrap(), (0, vec![], None));
    LEVEL.store(1, Ordering::Relaxed);
    first = ask();
    WORDS.lock().unwrap().push("a".into());
    second = ask();
    LEVEL.store(2, Ordering::Relaxed);
    assert_eq!(first.join().unwrap(), (1, vec![], None));
    assert_eq!(second.join().unwrap(), (1, vec!["a".into()], None));
    assert_eq!(ask().join().unwrap(), (2, vec!["a".into()], None));
    assert_eq!(pool.figures().restarts, 0);

    // What a task changes stays in its worker, until it is changed here.
    assert_eq!(pool.submit(changes_words::call()).unwrap().join().unwrap(), 2);
    assert_eq!(pool.submit(changes_words::call()).unwrap().join().unwrap(), 3);
    WORDS.lock().unwrap().push("b".into());
    assert_eq!(ask().join().unwrap().1, ["a", "b"]);

    // What can be set only once needs another worker.
    ONCE.set(7).unwrap();
    assert_eq!(ask().join().unwrap().2, Some(7));
    assert_eq!(pool.figures().restarts, 1);

    // So does a lock that a task has poisoned; without shared memory nobody knows that the task has not begun.
    if cfg!(not(target_os = "linux")) {
        return WORDS.lock().unwrap().clear();
    }
    assert_eq!(pool.submit(poisons_words::call()).unwrap().join().unwrap_err().kind(), ErrorKind::Panicked);
    WORDS.lock().unwrap().push("c".into());
    assert_eq!(ask().join().unwrap().1, ["a", "b", "c"]);
    assert_eq!(pool.figures().restarts, 2);
    WORDS.lock().unwrap().clear();
}
