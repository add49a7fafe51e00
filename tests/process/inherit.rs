//! Statics with `#[inherit]` have, in a child, the value of the time at which it was started; those with
//! `#[process_local]` do not.
//!
//! Tests of one binary run at the same time and every static travels to every child, so each test has statics of its
//! own; those that cannot travel are in a program of their own (`tests/inherited.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI8, AtomicU16, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex, OnceLock, RwLock};

use serde::{Deserialize, Serialize};
use spawnsafe::{Inheritable, ProcessLocal, RemoteError, Snapshot, SpawnSafe, child_entry, inherit, process_local};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Config {
    name: Option<Option<String>>,
    limits: HashMap<u8, f32>,
}

impl SpawnSafe for Config {}

fn config() -> Config {
    Config { name: Some(None), limits: HashMap::from([(3, f32::MAX)]) }
}

#[inherit]
static CONFIG: OnceLock<Config> = OnceLock::new();

#[child_entry]
fn reads_config() -> Option<Config> {
    CONFIG.get().cloned()
}

/// Both in one test: it is the only one that sets it.
#[test]
fn what_is_not_set_stays_so_and_what_is_set_travels() {
    assert_eq!(reads_config::run().unwrap(), None);
    CONFIG.set(config()).unwrap();
    assert_eq!(reads_config::run().unwrap(), Some(config()));
    assert_eq!(nested::run(2).unwrap(), Some(config()));
}

#[child_entry]
fn nested(levels: u32) -> Option<Config> {
    if levels == 0 { CONFIG.get().cloned() } else { nested::run(levels - 1).unwrap() }
}

#[inherit]
static LIST: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[child_entry]
fn appends(number: u32) -> Vec<u32> {
    let mut list = LIST.lock().unwrap();
    list.push(number);
    list.clone()
}

#[test]
fn each_start_takes_the_value_of_its_time_and_nothing_comes_back() {
    for n in 0..3 {
        assert_eq!(appends::run(100).unwrap(), [(0..n).collect(), vec![100]].concat());
        LIST.lock().unwrap().push(n);
    }
    // When it is started, and not when the arguments are packed.
    let call = appends::call(100);
    LIST.lock().unwrap().push(3);
    assert_eq!(call.run().unwrap(), [0, 1, 2, 3, 100]);
    assert_eq!(*LIST.lock().unwrap(), [0, 1, 2, 3]);
}

#[inherit]
static BYTES: RwLock<Vec<u8>> = RwLock::new(Vec::new());
#[inherit]
static TEXT: RwLock<String> = RwLock::new(String::new());

fn some_bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[child_entry]
fn lengths() -> (usize, usize, bool) {
    let (bytes, text) = (BYTES.read().unwrap(), TEXT.read().unwrap());
    (bytes.len(), text.len(), *bytes == some_bytes(bytes.len()))
}

#[test]
fn long_values_and_a_reader_at_the_start() {
    for len in [0, 65_535, 65_536, 8 << 20] {
        *BYTES.write().unwrap() = some_bytes(len);
        *TEXT.write().unwrap() = "x".repeat(len);
        let _reading = BYTES.read().unwrap();
        assert_eq!(lengths::run().unwrap(), (len, len, true));
    }
    *BYTES.write().unwrap() = Vec::new();
    *TEXT.write().unwrap() = String::new();
}

#[inherit]
static FLAG: AtomicBool = AtomicBool::new(false);
#[inherit]
static SMALL: AtomicI8 = AtomicI8::new(-1);
#[inherit]
static MIDDLE: AtomicU16 = AtomicU16::new(1);
#[inherit]
static GREAT: AtomicU64 = AtomicU64::new(1);

#[child_entry]
fn atomics() -> (bool, i8, u16, u64) {
    (FLAG.load(SeqCst), SMALL.fetch_add(1, SeqCst), MIDDLE.load(SeqCst), GREAT.load(SeqCst))
}

#[test]
fn atomics_travel() {
    assert_eq!(atomics::run().unwrap(), (false, -1, 1, 1));
    FLAG.store(true, SeqCst);
    SMALL.store(i8::MIN, SeqCst);
    MIDDLE.store(u16::MAX, SeqCst);
    GREAT.store(u64::MAX, SeqCst);
    assert_eq!(atomics::run().unwrap(), (true, i8::MIN, u16::MAX, u64::MAX));
    assert_eq!(SMALL.load(SeqCst), i8::MIN);
}

#[inherit]
static COUNT: AtomicUsize = AtomicUsize::new(0);

#[child_entry]
fn count() -> usize {
    COUNT.load(SeqCst)
}

/// A thread that starts a child after it has counted finds at least its own count there.
#[test]
fn children_of_several_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    let before = COUNT.fetch_add(1, SeqCst) + 1;
                    let there = count::run().unwrap();
                    assert!(before <= there && there <= COUNT.load(SeqCst), "{there}");
                }
            });
        }
    });
    assert_eq!(count::run().unwrap(), 12);
}

/// Another thread that holds a lock for a moment does not make a start fail.
#[test]
fn a_lock_that_others_use() {
    #[inherit]
    static BUSY: Mutex<u64> = Mutex::new(0);

    #[child_entry]
    fn busy() -> u64 {
        *BUSY.lock().unwrap()
    }

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                let mut guard = BUSY.lock().unwrap();
                *guard += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
                drop(guard);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let mut last = 0;
        for _ in 0..5 {
            let now = busy::run().unwrap();
            assert!(last <= now);
            last = now;
        }
        stop.store(true, SeqCst);
    });
}

/// A container of one's own. What it was given in the parent is counted, to see how often it is asked.
struct Setting {
    value: RwLock<Option<String>>,
    restored: AtomicUsize,
    taken: AtomicUsize,
    for_good: bool,
}

impl Setting {
    const fn new(for_good: bool) -> Self {
        Self { value: RwLock::new(None), restored: AtomicUsize::new(0), taken: AtomicUsize::new(0), for_good }
    }

    fn set(&self, text: &str) {
        *self.value.write().unwrap() = Some(text.to_owned());
    }

    fn state(&self) -> (Option<String>, usize) {
        (self.value.read().unwrap().clone(), self.restored.load(SeqCst))
    }
}

impl Inheritable for Setting {
    type Value = String;

    fn snapshot(&self, to: Snapshot<'_, String>) -> Result<(), RemoteError> {
        match &*self.value.read().unwrap() {
            None => Ok(()),
            Some(value) => {
                self.taken.fetch_add(1, SeqCst);
                if self.for_good { to.take_for_good(value) } else { to.take(value) }
            }
        }
    }

    fn restore(&self, value: String) -> Result<(), RemoteError> {
        self.restored.fetch_add(1, SeqCst);
        *self.value.write().unwrap() = Some(value);
        Ok(())
    }
}

#[inherit]
static CHANGES: Setting = Setting::new(false);
#[inherit]
static FIXED: Setting = Setting::new(true);

#[child_entry]
fn settings() -> [(Option<String>, usize); 2] {
    [CHANGES.state(), FIXED.state()]
}

#[test]
fn a_type_of_ones_own() {
    assert_eq!(settings::run().unwrap(), [(None, 0), (None, 0)]);
    CHANGES.set("a");
    FIXED.set("1");
    assert_eq!(settings::run().unwrap(), [(Some("a".into()), 1), (Some("1".into()), 1)]);
    CHANGES.set("b");
    FIXED.set("2");
    // What was taken for good is packed once, however many children other tests start meanwhile.
    assert_eq!(settings::run().unwrap(), [(Some("b".into()), 1), (Some("1".into()), 1)]);
    assert_eq!(FIXED.taken.load(SeqCst), 1);
}

#[inherit]
static DRAWN: LazyLock<String> = LazyLock::new(|| format!("drawn by {}", std::process::id()));

fn initial() -> Vec<u32> {
    vec![std::process::id(); 3]
}

#[inherit]
static NOT_DRAWN: LazyLock<Vec<u32>, fn() -> Vec<u32>> = LazyLock::new(initial);

#[child_entry]
fn drawn() -> (String, u32) {
    (DRAWN.clone(), NOT_DRAWN[2])
}

#[child_entry]
fn drawn_below() -> (String, u32) {
    drawn::run().unwrap()
}

/// What is drawn at random, say, is drawn once; what nobody has asked for is drawn by whoever asks.
#[test]
fn what_is_computed_travels() {
    let before = drawn::spawn().unwrap();
    let id = before.id();
    assert_eq!(before.join().unwrap(), (format!("drawn by {id}"), id));
    let here = format!("drawn by {}", std::process::id());
    assert_eq!(**DRAWN, here);
    for (text, number) in [drawn::run().unwrap(), drawn_below::run().unwrap()] {
        assert_eq!(text, here);
        assert_ne!(number, std::process::id());
    }
}

/// While it is being computed, a start does not wait for it: that would be for itself.
#[test]
fn a_start_within_a_computation() {
    #[inherit]
    static BELOW: LazyLock<u32> = LazyLock::new(|| depth::run(1).unwrap() + 1);

    #[child_entry]
    fn depth(of: u32) -> u32 {
        of
    }

    assert_eq!(**BELOW, 2);
    assert_eq!(depth::run(3).unwrap(), 3);
}

/// Of one name, in different function bodies.
#[test]
fn statics_in_function_bodies() {
    fn one() -> Result<u8, spawnsafe::Error> {
        #[inherit]
        static TWIN: OnceLock<u8> = OnceLock::new();

        #[child_entry]
        fn reads() -> u8 {
            *TWIN.get().unwrap()
        }

        TWIN.get_or_init(|| 1);
        reads::run()
    }

    #[allow(clippy::extra_unused_type_parameters, reason = "for there to be two instances")]
    fn two<T>() -> Result<u8, spawnsafe::Error> {
        #[inherit]
        static TWIN: OnceLock<u8> = OnceLock::new();

        #[child_entry]
        fn reads() -> u8 {
            *TWIN.get().unwrap()
        }

        TWIN.get_or_init(|| 2);
        reads::run()
    }

    assert_eq!((one().unwrap(), two::<u8>().unwrap(), two::<String>().unwrap()), (1, 2, 2));
}

/// Statics that not even their places tell apart, as they come from one line of a macro. Entries of them would be
/// duplicates; here the order in which both processes have them decides.
macro_rules! twins {
    ($($function:ident $value:literal)*) => {$(
        fn $function() -> (&'static OnceLock<u8>, u8) {
            #[inherit]
            static TWIN: OnceLock<u8> = OnceLock::new();

            (&TWIN, $value)
        }
    )*};
}

twins!(first_twin 1 second_twin 2);

#[child_entry]
fn twins() -> [Option<u8>; 2] {
    [first_twin().0.get().copied(), second_twin().0.get().copied()]
}

#[test]
fn statics_of_one_name_and_place() {
    for (twin, value) in [first_twin(), second_twin()] {
        twin.set(value).unwrap();
    }
    assert_eq!(twins::run().unwrap(), [Some(1), Some(2)]);
}

/// In another crate, which is a library.
#[test]
fn statics_of_other_crates() {
    assert_eq!(spawnsafe_tests::entries::reads_library::run().unwrap(), None);
    spawnsafe_tests::entries::LIBRARY.set("set".into()).unwrap();
    assert_eq!(spawnsafe_tests::entries::reads_library::run().unwrap().as_deref(), Some("set"));
}

#[inherit]
#[cfg(any())]
static ABSENT: NoSuchType = NoSuchType;

#[cfg(any())]
#[inherit]
static ABSENT: NoSuchType = NoSuchType;

#[inherit]
#[cfg(not(any()))]
static PRESENT: OnceLock<()> = OnceLock::new();

#[process_local]
#[cfg(any())]
static ABSENT_AS_WELL: NoSuchType = NoSuchType;

#[child_entry]
fn present() -> bool {
    PRESENT.get().is_some()
}

#[test]
fn statics_that_are_configured_out() {
    PRESENT.get_or_init(|| ());
    assert!(present::run().unwrap());
}

/// A child that rebuilds its arguments finds the statics in place.
#[derive(Serialize)]
struct Looks(bool);

impl<'de> Deserialize<'de> for Looks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bool::deserialize(deserializer)?;
        Ok(Self(LOOKED_AT.load(SeqCst)))
    }
}

impl SpawnSafe for Looks {}

#[inherit]
static LOOKED_AT: AtomicBool = AtomicBool::new(false);

#[child_entry]
fn looks(looks: Looks) -> bool {
    looks.0
}

#[test]
fn they_are_there_before_the_arguments() {
    LOOKED_AT.store(true, SeqCst);
    assert!(looks::run(Looks(false)).unwrap());
}

#[process_local]
static OWN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[process_local]
static COMPUTED: LazyLock<u32> = LazyLock::new(std::process::id);

static BY_HAND: ProcessLocal<AtomicUsize> = ProcessLocal::new(AtomicUsize::new(0));

thread_local! {
    #[process_local]
    static OF_THREAD: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[child_entry]
fn own() -> (Vec<u32>, u32, usize, u32) {
    (OWN.lock().unwrap().clone(), **COMPUTED, BY_HAND.load(SeqCst), OF_THREAD.get())
}

#[test]
fn what_each_process_has_for_itself() {
    OWN.lock().unwrap().push(1);
    BY_HAND.store(1, SeqCst);
    OF_THREAD.set(1);
    assert_eq!(own(), (vec![1], std::process::id(), 1, 1));
    let child = own::spawn().unwrap();
    let id = child.id();
    assert_eq!(child.join().unwrap(), (vec![], id, 0, 0));
}
