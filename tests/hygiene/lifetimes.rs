//! Lifetimes in signatures: what is lent, and what borrows by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use spawnsafe::child_entry;

#[child_entry]
fn named<'a, 'b: 'a>(one: &'a str, other: &'b [u32]) -> usize {
    one.len() + other.len()
}

#[child_entry]
fn with_where_clause<'a, 'b>(one: &'a str, other: &'b Path) -> String
where
    'b: 'a,
    String: Clone,
{
    format!("{one} {}", other.display())
}

#[child_entry]
fn cow_by_value(text: Cow<'_, str>, list: Cow<'_, [u32]>) -> String {
    format!("{text} {list:?}")
}

#[child_entry]
#[allow(clippy::ptr_arg)]
fn cow_lent<'a>(text: &Cow<'a, str>, list: &[Cow<'_, str>]) -> String {
    format!("{text} {list:?}")
}

#[child_entry]
fn cow_inside(map: &BTreeMap<u8, Cow<'_, str>>, bytes: Result<Vec<u8>, Cow<'_, str>>) -> String {
    format!("{map:?} {bytes:?}")
}

#[child_entry]
#[allow(elided_lifetimes_in_paths)]
fn cow_without_lifetime(text: Cow<str>, list: Cow<[u8]>, inside: &Option<Cow<str>>) -> usize {
    text.len() + list.len() + inside.as_ref().map_or(0, |inside| inside.len())
}

#[child_entry]
fn cow_as_result(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_uppercase())
}

#[test]
fn lent_for_less_than_the_program() {
    let (text, list) = (String::from("local"), vec![1, 2, 3]);
    assert_eq!(named::run(&text, &list).unwrap(), named(&text, &list));
    let path = Path::new(&text).join("path");
    assert_eq!(with_where_clause::run(&text, &path).unwrap(), with_where_clause(&text, &path));
}

#[test]
fn borrowing_types() {
    let (text, list) = (String::from("local"), vec![1, 2, 3]);
    let call = || cow_by_value::run(Cow::Borrowed(&text), Cow::Borrowed(&list));
    assert_eq!(call().unwrap(), "local [1, 2, 3]");

    let texts = [Cow::Borrowed(text.as_str()), Cow::Owned("owned".to_owned())];
    assert_eq!(cow_lent::run(&texts[0], &texts).unwrap(), cow_lent(&texts[0], &texts));

    let map = BTreeMap::from([(1, Cow::Borrowed(text.as_str()))]);
    for bytes in [Ok(vec![1, 2, 255]), Err(Cow::Borrowed(text.as_str()))] {
        assert_eq!(cow_inside::run(&map, bytes.clone()).unwrap(), cow_inside(&map, bytes));
    }

    assert_eq!(cow_without_lifetime::run((&*text).into(), Cow::Borrowed(&[1]), &None).unwrap(), 6);
    assert_eq!(cow_as_result::run(&text).unwrap(), "LOCAL");
}
