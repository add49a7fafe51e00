// Plain statics and constants of every kind are used as ever, in whatever way.

#![deny(warnings)]
#![forbid(unsafe_code)]

use std::ops::Deref;
use std::sync::Mutex;

struct Name(&'static str);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

struct Flags(u32);

impl Flags {
    const A: Flags = Flags(1);

    fn bits(&self) -> u32 {
        self.0
    }
}

static TABLE: [(&str, fn(u32) -> u32); 2] = [("inc", |x| x + 1), ("dec", |x| x - 1)];
static TEXT: String = String::new();
static NAME: Name = Name("abc");
static BIG: [u8; 1 << 20] = [1; 1 << 20];
const EMPTY: String = String::new();
const CALLBACKS: Vec<Box<dyn Fn()>> = Vec::new();
const LOCKS: Mutex<Vec<u8>> = Mutex::new(Vec::new());
const PAIR: (usize, usize) = (1, 2);
#[allow(non_upper_case_globals)]
static table: [u32; 2] = [3, 4];
#[allow(non_upper_case_globals)]
static flags: Flags = Flags(2);

macro_rules! pass_on {
    ($($tokens:tt)*) => { $($tokens)* };
}

#[spawnsafe::child_entry]
fn entry(at: usize) -> usize {
    let (one, two) = PAIR;
    let locks = [LOCKS; 2];
    let borrowed = &EMPTY;
    let sum = TABLE.iter().fold(1, |sum, (_, f)| f(sum)) + (TABLE[0].1)(1);
    let text = format!("{PAIR:?}{:?}{}{NAME}", std::path::MAIN_SEPARATOR, std::f64::consts::PI, NAME = &*NAME);
    assert!(pass_on!(TEXT.is_empty()) && pass_on!(EMPTY).is_empty() && pass_on!(crate::PAIR).0 == 1);
    one + two
        + locks[0].lock().unwrap().len()
        + borrowed.len()
        + sum as usize
        + usize::from(text.is_empty())
        + NAME.len()
        + usize::from(BIG[at])
        + CALLBACKS.len()
        + Flags::A.bits() as usize
        + table[0] as usize
        + table.iter().count()
        + (&table).len()
        + flags.bits() as usize
}

fn main() {
    assert_eq!(entry::NAME, "static_plain::entry");
    assert_eq!(entry(1), 20);
}
