//! A program whose inherited statics cannot travel: each argument is one way in which they cannot.

use std::sync::mpsc;
use std::sync::{Mutex, OnceLock, RwLock};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spawnsafe::{Handle, Inheritable, RemoteError, Snapshot, SpawnSafe, child_entry, inherit, process_main};

#[inherit]
static LOCKED: Mutex<u32> = Mutex::new(1);
#[inherit]
static WRITTEN: RwLock<u32> = RwLock::new(1);
#[inherit]
static STUBBORN: OnceLock<Stubborn> = OnceLock::new();
#[inherit]
static HANDLES: Mutex<Vec<Handle<std::fs::File>>> = Mutex::new(Vec::new());
#[inherit]
static OWN: Own = Own(OnceLock::new());

/// What a [`Stubborn`] does not do.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Refuses {
    Packing,
    Unpacking,
    UnpackingWithPanic,
    ASecondValue,
    Nothing,
}

struct Stubborn(Refuses);

impl SpawnSafe for Stubborn {}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Refuses::Packing => Err(serde::ser::Error::custom("it does not want to")),
            _ => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Refuses::deserialize(deserializer)? {
            Refuses::Unpacking => Err(serde::de::Error::custom("it does not want to")),
            Refuses::UnpackingWithPanic => panic!("it really does not want to"),
            Refuses::ASecondValue => {
                STUBBORN.get_or_init(|| Self(Refuses::Nothing));
                Ok(Self(Refuses::ASecondValue))
            }
            refuses => Ok(Self(refuses)),
        }
    }
}

struct Own(OnceLock<&'static str>);

impl Inheritable for Own {
    type Value = ();

    fn snapshot(&self, to: Snapshot<'_, ()>) -> Result<(), RemoteError> {
        match self.0.get() {
            None => Ok(()),
            Some(&"snapshot") => Err(RemoteError::msg("there is no way out")),
            Some(_) => to.take(&()),
        }
    }

    fn restore(&self, (): ()) -> Result<(), RemoteError> {
        Err(RemoteError::msg("there is no way in"))
    }
}

#[child_entry]
fn sum() -> u32 {
    println!("the entry runs");
    *LOCKED.lock().unwrap() + *WRITTEN.read().unwrap()
}

fn say(result: Result<u32, spawnsafe::Error>) {
    match result {
        Ok(sum) => println!("{sum}"),
        Err(error) => println!("{:?}: {error}", error.kind()),
    }
}

fn stubborn(refuses: Refuses) {
    assert!(STUBBORN.set(Stubborn(refuses)).is_ok());
    say(sum::run());
}

fn own(refuses: &'static str) {
    OWN.0.set(refuses).unwrap();
    say(sum::run());
}

/// Starts a child while another thread holds the lock, which lets go as soon as it knows that the start waits.
fn held_elsewhere() {
    let (locked, is_locked) = mpsc::channel();
    let holder = std::thread::spawn(move || {
        let mut guard = LOCKED.lock().unwrap();
        locked.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        *guard = 5;
    });
    is_locked.recv().unwrap();
    say(sum::run());
    holder.join().unwrap();
}

fn poisoned() {
    let holder = std::thread::spawn(|| {
        let _guard = LOCKED.lock().unwrap();
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(holder.join().is_err());
    say(sum::run());
    LOCKED.clear_poison();
    say(sum::run());
}

#[process_main]
fn main() {
    match std::env::args().nth(1).unwrap().as_str() {
        "mutex" => {
            let guard = LOCKED.lock().unwrap();
            say(sum::run());
            drop(guard);
            say(sum::run());
        }
        "rwlock" => {
            let guard = WRITTEN.write().unwrap();
            say(sum::run());
            drop(guard);
            say(sum::run());
        }
        "handle" => {
            let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
            HANDLES.lock().unwrap().push(file.into());
            say(sum::run());
            HANDLES.lock().unwrap().clear();
            say(sum::run());
        }
        "held elsewhere" => held_elsewhere(),
        "poisoned" => poisoned(),
        "packing" => stubborn(Refuses::Packing),
        "unpacking" => stubborn(Refuses::Unpacking),
        "panic" => stubborn(Refuses::UnpackingWithPanic),
        "second value" => stubborn(Refuses::ASecondValue),
        "nothing" => stubborn(Refuses::Nothing),
        "snapshot" => own("snapshot"),
        "restore" => own("restore"),
        other => panic!("{other}?"),
    }
}
