//! Names that could meet those of generated code.

#![allow(non_snake_case, non_upper_case_globals)]

use spawnsafe::child_entry;

/// Parameters that are called what generated code calls things.
#[child_entry]
#[expect(clippy::too_many_arguments)]
fn parameters_like_internals(
    arguments: u8,
    unpacker: u8,
    packer: u8,
    done: u8,
    argument_0: u8,
    arg1: u8,
    call: u8,
    spawn: u8,
    run: u8,
    NAME: u8,
    __spawnsafe: u8,
    core: u8,
) -> Vec<u8> {
    vec![arguments, unpacker, packer, done, argument_0, arg1, call, spawn, run, NAME, __spawnsafe, core]
}

/// Patterns, for which `call` has made-up names, beside parameters of just those names.
#[child_entry]
fn patterns_beside_made_up_names((a, b): (u8, u8), arg1: u8, arg3: u8, [c, d]: [u8; 2]) -> Vec<u8> {
    vec![a, b, arg1, arg3, c, d]
}

/// Entries that are called what their methods are called.
mod methods {
    use spawnsafe::child_entry;

    #[child_entry]
    pub fn call(run: u32) -> u32 {
        run + 1
    }

    #[child_entry]
    pub fn spawn(call: u32) -> u32 {
        call + 2
    }

    #[child_entry]
    pub fn run(spawn: u32) -> u32 {
        spawn + 3
    }

    #[child_entry]
    pub fn NAME() -> u32 {
        4
    }
}

#[child_entry]
fn r#match(r#type: u32, r#fn: &str) -> usize {
    r#type as usize + r#fn.len()
}

/// A function that is called like a crate, and one like a type of std.
#[child_entry]
fn serde(x: u32) -> u32 {
    x + 5
}

#[child_entry]
fn String(x: u32) -> u32 {
    x + 6
}

#[child_entry]
fn größe(länge: u32) -> u32 {
    länge + 7
}

#[test]
fn like_internals() {
    let expected: Vec<u8> = (0..12).collect();
    assert_eq!(parameters_like_internals::run(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11).unwrap(), expected);
    let expected = patterns_beside_made_up_names((1, 2), 3, 4, [5, 6]);
    assert_eq!(patterns_beside_made_up_names::run((1, 2), 3, 4, [5, 6]).unwrap(), expected);
    assert_eq!(methods::call::run(1).unwrap(), 2);
    assert_eq!(methods::spawn::run(1).unwrap(), 3);
    assert_eq!(methods::run::run(1).unwrap(), 4);
    assert_eq!(methods::NAME::run().unwrap(), 4);
    assert_eq!(methods::NAME::NAME, concat!(module_path!(), "::methods::NAME"));
}

#[test]
fn raw_identifiers() {
    assert_eq!(r#match::run(1, "ab").unwrap(), r#match(1, "ab"));
    assert_eq!(r#match::NAME, concat!(module_path!(), "::match"));
}

#[test]
fn like_crates_and_types() {
    assert_eq!(serde::run(1).unwrap(), 6);
    assert_eq!(String::run(1).unwrap(), 7);
    assert_eq!(größe::run(1).unwrap(), 8);
}
