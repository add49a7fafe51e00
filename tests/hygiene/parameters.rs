//! What may stand in a parameter list.

use spawnsafe::child_entry;

#[derive(serde::Serialize, serde::Deserialize, spawnsafe::SpawnSafe)]
struct Point {
    x: u32,
    y: u32,
}

#[child_entry]
fn patterns((a, mut b): (u32, u32), Point { x, y: _ }: Point, [first, ..]: [u32; 3], &c: &u32) -> u32 {
    b += 1;
    a + b + x + first + c
}

#[child_entry]
#[allow(clippy::toplevel_ref_arg)]
fn bindings(mut list: Vec<u32>, ref text: String, whole @ Point { .. }: Point, _: u8, _unused: u8) -> u32 {
    list.push(whole.x + whole.y);
    list.iter().sum::<u32>() + text.len() as u32
}

#[child_entry]
fn switched(
    #[cfg(any())] _missing: Missing,
    #[cfg(not(any()))]
    #[allow(unused_mut)]
    mut here: u32,
    #[cfg(not(test))] not_in_tests: u32,
    #[cfg(test)] in_tests: u32,
) -> u32 {
    #[cfg(not(test))]
    let in_tests = not_in_tests;
    here - in_tests
}

#[cfg(any())]
#[child_entry]
fn switched_off_above(x: Missing) -> Missing {}

#[child_entry]
#[cfg(any())]
fn switched_off_below(x: Missing) -> Missing {}

#[child_entry]
#[cfg(not(any()))]
fn switched_on_below(x: u32) -> u32 {
    x
}

#[child_entry]
fn none() {}

#[child_entry]
#[allow(clippy::too_many_arguments)]
fn seventeen(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: u128,
    f: i8,
    g: i16,
    h: i32,
    i: i64,
    j: i128,
    k: f32,
    l: f64,
    m: bool,
    n: char,
    o: &str,
    p: &[u8],
    q: (),
) -> String {
    format!("{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k} {l} {m} {n} {o} {p:?} {q:?}")
}

#[child_entry]
#[allow(unused_parens)]
fn trailing_comma_and_parentheses(a: (u8), b: &(str), c: (&[u8])) -> (usize) {
    a as usize + b.len() + c.len()
}

/// Documented.
#[child_entry]
#[inline]
#[must_use]
#[track_caller]
pub(crate) fn attributes(x: u32) -> u32 {
    x
}

#[test]
fn of_every_form() {
    let point = || Point { x: 3, y: 4 };
    assert_eq!(patterns::run((1, 2), point(), [4, 5, 6], &5).unwrap(), patterns((1, 2), point(), [4, 5, 6], &5));
    let text = || String::from("text");
    let expected = bindings(vec![1, 2], text(), point(), 0, 0);
    assert_eq!(bindings::run(vec![1, 2], text(), point(), 0, 0).unwrap(), expected);
    assert_eq!(trailing_comma_and_parentheses::run(1, "ab", &[3]).unwrap(), 4);
}

#[test]
fn switched_by_cfg() {
    assert_eq!(switched::run(5, 3).unwrap(), 2);
    assert_eq!(switched_on_below::run(5).unwrap(), 5);
}

#[test]
fn none_and_many() {
    none::run().unwrap();
    let expected = seventeen(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 11.5, true, '🦀', "o", &[16], ());
    let got = seventeen::run(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 11.5, true, '🦀', "o", &[16], ());
    assert_eq!(got.unwrap(), expected);
}

#[test]
fn below_attributes() {
    assert_eq!(attributes::run(1).unwrap(), attributes(1));
}
