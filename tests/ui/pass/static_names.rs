// Names that look like statics, and are none.

#![allow(non_camel_case_types, clippy::upper_case_acronyms, clippy::needless_borrow)]

use Opt::*;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Opt<T> {
    NONE,
    SOME(T),
}

struct RGB(u8, u8);
struct DB;

mod types {
    pub struct ID;
}

trait Parse {
    fn parse_it(&self) -> u8;
}

impl<F: Fn(u8) -> u8> Parse for F {
    fn parse_it(&self) -> u8 {
        self(7)
    }
}

fn same<T: Into<u64>>(value: T) -> T {
    value
}

macro_rules! query {
    ($($tokens:tt)*) => { stringify!($($tokens)*) };
}

macro_rules! bind {
    ($name:ident) => { let $name: u32 = 1; };
}

macro_rules! constants {
    ($($name:ident)*) => { $(const $name: u32 = 1;)* };
}

#[allow(non_snake_case)]
#[spawnsafe::child_entry]
fn entry(N: u32) -> u32 {
    let _ = (DB, types::ID);
    let X = N + 1;
    let f = |Y: u32| &Y + &X;
    let text = query!(SELECT * FROM DB WHERE crate::types::ID = types::ID AND a::B < HEAD.len "{NOPE}" &GET [POST; 2]);
    let option: Opt<u8> = NONE;
    let RGB(red, green) = RGB(1, 2);
    assert!(option == NONE && matches!(option, NONE) && SOME(1) != NONE);
    bind!(bound);
    {
        bind!(BOUND);
        constants! { ONE TWO }
        assert!(&ONE == &BOUND && BOUND.pow(TWO) == 1);
    }
    for I in 0..2 {
        assert!(&I < &2);
    }
    #[cfg(any())]
    let _ = &NOT_HERE.field;
    'OUTER: loop {
        #[allow(clippy::never_loop)]
        loop {
            break 'OUTER;
        }
    }
    fn array<const LEN: usize>() -> usize {
        *(&LEN)
    }
    f(1) + u32::from(red + green + same.parse_it()) + *(&bound) + bound.pow(2) + array::<3>() as u32 + text.len() as u32
        - text.len() as u32
}

fn main() {
    assert_eq!(entry(1), 1 + 2 + 3 + 7 + 1 + 1 + 3);
}
