//! A changed module global, and an argument with a custom `__getstate__`: here, a custom `Serialize`.
//!
//! `cargo run --example custom_getstate`
//!
//! The Python program sets a global of another module to 1, makes an object that pickles its `c` as 0, and passes the
//! object to a child, which prints both. On Windows the object is pickled and the module imported from scratch:
//! `__getstate__`, `1 2 0`, `None`. On Linux the child is a fork, nothing is pickled, and the module is as the parent
//! left it: `1 2 3`, `1`.
//!
//! Here it prints on every system what Python prints on Windows.

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use spawnsafe::{SpawnSafe, child_entry, process_main};

/// Python's `import_mock.py`, with its `to_mock = None`.
mod import_mock {
    use std::sync::OnceLock;

    static TO_MOCK: OnceLock<u32> = OnceLock::new();

    pub(super) fn set_to_mock(value: u32) {
        TO_MOCK.set(value).expect("it is set once");
    }

    pub(super) fn to_mock() -> Option<u32> {
        TO_MOCK.get().copied()
    }
}

#[derive(Deserialize, SpawnSafe)]
struct A {
    a: u32,
    b: u32,
    c: u32,
}

impl Serialize for A {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        println!("__getstate__");
        let mut state = serializer.serialize_struct("A", 3)?;
        state.serialize_field("a", &self.a)?;
        state.serialize_field("b", &self.b)?;
        state.serialize_field("c", &0)?;
        state.end()
    }
}

fn func() -> A {
    import_mock::set_to_mock(1);
    A { a: 1, b: 2, c: 3 }
}

#[child_entry]
fn func1(a: A) {
    println!("{} {} {}", a.a, a.b, a.c);
    match import_mock::to_mock() {
        Some(value) => println!("{value}"),
        None => println!("None"),
    }
}

#[process_main]
fn main() -> Result<(), spawnsafe::Error> {
    let a = func();
    let p = func1::spawn(a)?;
    p.join()
}
