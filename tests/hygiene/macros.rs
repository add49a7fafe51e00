//! Macros around entries, and in them: what a macro passes on must mean what it meant.

#![allow(dead_code)]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

use spawnsafe::{child_entry, inherit, spawn_safe};

pub(crate) mod limits {
    pub(crate) const MOST: u32 = 3;
    pub(crate) static STEPS: [u32; 2] = [1, 2];
    pub(crate) static USED: super::AtomicU8 = super::AtomicU8::new(0);
}

macro_rules! tokens {
    ($($tokens:tt)*) => {
        $($tokens)*
    };
}

/// Imports and paths that start with the crate of the macro.
macro_rules! with_paths_of_its_crate {
    ($name:ident) => {
        #[child_entry(allow_static($crate::macros::limits::USED))]
        fn $name(more: u32) -> u32 {
            use $crate::macros::limits::*;
            use $crate::macros::limits::{MOST as LIMIT, STEPS as steps};
            let most = &LIMIT;
            let inside = tokens!(MOST + STEPS[0] + $crate::macros::limits::MOST + $crate::SHARED);
            *most + inside + steps[1] + more
        }
    };
}

with_paths_of_its_crate!(with_paths);

/// Two parameters of one name, which the macro tells apart.
macro_rules! with_parameter {
    ($name:ident, $parameter:ident) => {
        #[child_entry]
        fn $name($parameter: u8, value: u16) -> (u8, u16) {
            ($parameter, value)
        }
    };
}

with_parameter!(of_one_name, value);
with_parameter!(of_other_name, arguments);

macro_rules! inherited {
    ($name:ident: $type:ty = $value:expr) => {
        #[inherit]
        static $name: $type = $value;
    };
}

inherited!(WORDS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1, 2]));

#[child_entry]
fn words() -> usize {
    WORDS.len()
}

/// As in `tracing`, whose spans have names.
macro_rules! info_span {
    ($name:literal, $($arguments:tt)*) => {
        ($name, $($arguments)*)
    };
}

/// As in `log`.
macro_rules! info {
    (target: $target:literal, $($arguments:tt)*) => {
        ($target, format!($($arguments)*))
    };
}

/// Texts with braces in them that are no formats.
#[child_entry]
fn texts(text: &str) -> Vec<String> {
    assert_eq!(text, "{NONE}", "{text}");
    assert_ne!("{none}", text);
    let (name, _) = info_span!("{NOTHING}", text);
    let (target, formatted) = info!(target: "{NOBODY}", "{text}");
    let listed = format!("{}{:?}", "{NOWHERE}", concat!("{NO", "THING}"));
    vec![name.to_owned(), target.to_owned(), formatted, listed]
}

#[cfg(any())]
static ABSENT: u32 = 1;

/// What is not compiled in an entry names what is not there.
#[child_entry]
fn without_absent(number: u32) -> u32 {
    struct Local(u32);
    impl Local {
        #[cfg(any())]
        fn number(&self) -> u32 {
            ABSENT.pow(self.0)
        }

        #[cfg(not(any()))]
        fn number(&self) -> u32 {
            self.0
        }
    }
    trait Doubled {
        #[cfg(any())]
        fn absent() -> u32 {
            ABSENT.pow(2)
        }

        fn doubled(&self) -> u32;
    }
    impl Doubled for Local {
        #[cfg(any())]
        fn doubled(&self) -> u32 {
            ABSENT.pow(2)
        }

        #[cfg(not(any()))]
        fn doubled(&self) -> u32 {
            2 * self.0
        }
    }
    Local(number).number() + Local(number).doubled()
}

/// What is allowed need not be used, but where it is has to be found.
#[spawn_safe(allow_static(limits::USED, crate::macros::limits::USED, std::env::consts::OS))]
fn allowed() -> u8 {
    1
}

#[spawn_safe(allow_static(limits::USED))]
mod module {
    pub(super) fn one() -> u8 {
        1
    }
}

struct Job;

#[spawn_safe(allow_static(limits::USED, HERE))]
impl Job {
    fn one() -> u8 {
        static HERE: AtomicU8 = AtomicU8::new(1);
        HERE.load(Ordering::Relaxed)
    }
}

#[test]
fn paths_of_the_crate_of_a_macro() {
    assert_eq!(with_paths::run(1).unwrap(), with_paths(1));
}

#[test]
fn parameters_of_a_macro() {
    assert_eq!(of_one_name::run(1, 2).unwrap(), (1, 2));
    assert_eq!(of_other_name::run(1, 2).unwrap(), (1, 2));
}

#[test]
fn values_of_a_macro() {
    assert_eq!(words::run().unwrap(), 2);
}

#[test]
fn texts_that_are_no_formats() {
    assert_eq!(texts::run("{NONE}").unwrap(), ["{NOTHING}", "{NOBODY}", "{NONE}", "{NOWHERE}\"{NOTHING}\""]);
}

#[test]
fn what_is_not_compiled() {
    assert_eq!(without_absent::run(2).unwrap(), 6);
}

#[test]
fn what_is_allowed() {
    limits::USED.store(0, Ordering::Relaxed);
    assert_eq!((allowed(), module::one(), Job::one()), (1, 1, 1));
}
