//! Generic entries: each listed instance runs in a child, and all else about them is as of any function.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use spawnsafe::{SpawnSafe, child_entry};

#[child_entry(instantiate(T = u32), instantiate(T = f64))]
fn sum<T: std::iter::Sum<T>>(list: Vec<T>) -> T {
    list.into_iter().sum()
}

/// The order of the arguments is not that of the parameters.
#[child_entry(name = "joined", instantiate(T = u32, N = 2), instantiate(N = 3, T = String))]
fn join<'a, T, const N: usize>(separator: &'a str, list: &'a [T], last: &T) -> [String; 2]
where
    T: Display + 'a,
{
    let list: Vec<_> = list.iter().map(ToString::to_string).collect();
    [list.join(separator), format!("{last}{N}")]
}

/// A part of a parameter, by way of its bound.
#[child_entry(instantiate(I = Vec<u8>), instantiate(I = BTreeMap<u8, String>))]
fn sorted<I: IntoIterator>(items: I) -> Vec<I::Item>
where
    I::Item: Ord,
{
    let mut items: Vec<_> = items.into_iter().collect();
    items.sort();
    items
}

/// One whose parameter is in no argument.
#[child_entry(instantiate(T = u8), instantiate(T = (u8, u16)))]
fn size_of<T>() -> usize {
    std::mem::size_of::<T>()
}

#[child_entry(instantiate(FLAG = true), instantiate(FLAG = false))]
fn flag<const FLAG: bool>(#[cfg(any())] missing: Missing, mut number: u32) -> u32 {
    number += u32::from(FLAG);
    number
}

#[child_entry(instantiate(r#type = u8))]
#[allow(non_camel_case_types)]
fn r#match<r#type: Debug>(r#in: &r#type) -> String {
    format!("{in:?}", in = r#in)
}

/// Names that generated code uses as well.
mod shadowing {
    #![allow(dead_code, clippy::multiple_bound_locations)]
    struct Result;
    struct Option;
    struct Value;
    struct Sized;
    trait Passable {}
    mod std {}
    mod core {}

    #[spawnsafe::child_entry(instantiate(Entry = u32, Run = u8))]
    pub(super) fn adds<Entry: Into<u64>, Run: Into<u64>>(entry: Entry, run: Run) -> u64 {
        entry.into() + run.into()
    }
}

mod library {
    #[spawnsafe::child_entry(instantiate(T = u8))]
    pub(super) fn echo<T>(value: T) -> T {
        value
    }

    pub(super) use echo as renamed;
}

macro_rules! entry {
    ($name:ident, $bound:path, $($ty:ty),*) => {
        #[child_entry($(instantiate(T = $ty)),*)]
        fn $name<T: $bound>(value: T) -> String {
            value.to_string()
        }
    };
}

entry!(shown, ToString, u8, Vec1);

#[derive(serde::Serialize, serde::Deserialize)]
struct Vec1(u32);

impl SpawnSafe for Vec1 {}

impl Display for Vec1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

#[test]
fn inferred_and_named() {
    assert_eq!(sum::run(vec![1u32, 2]).unwrap(), sum(vec![1u32, 2]));
    assert_eq!(sum::call::<f64>(vec![1.5, 2.0]).run().unwrap(), 3.5);
    assert_eq!(sum::spawn(vec![1.5]).unwrap().join().unwrap(), 1.5);
    assert_eq!(size_of::run::<(u8, u16)>().unwrap(), 4);
}

#[test]
fn several_parameters_and_lifetimes() {
    assert_eq!(join::run::<u32, 2>("-", &[1, 2], &7).unwrap(), ["1-2", "72"]);
    assert_eq!(join::run::<_, 3>("-", &["a".to_owned()], &"b".to_owned()).unwrap(), ["a", "b3"]);
    assert_eq!((flag::run::<true>(1).unwrap(), flag::run::<false>(1).unwrap()), (2, 1));
}

#[test]
fn bounds_that_give_types() {
    assert_eq!(sorted::run(vec![3u8, 1]).unwrap(), [1, 3]);
    assert_eq!(sorted::run(BTreeMap::from([(1u8, "a".to_owned())])).unwrap(), [(1, "a".to_owned())]);
}

#[test]
fn each_has_a_name() {
    let module = module_path!();
    assert_eq!(sum::name::<f64>(), format!("{module}::sum<f64>"));
    assert_eq!(join::name::<String, 3>(), "joined<String, 3>");
    assert_eq!(sorted::name::<BTreeMap<u8, String>>(), format!("{module}::sorted<BTreeMap<u8, String>>"));
    assert_eq!(size_of::name::<(u8, u16)>(), format!("{module}::size_of<(u8, u16)>"));
    const NAME: &str = r#match::name::<u8>();
    assert_eq!(NAME, format!("{module}::match<u8>"));
}

#[test]
fn odd_surroundings() {
    assert_eq!(r#match::run(&1u8).unwrap(), "1");
    assert_eq!(shadowing::adds::run(1u32, 2u8).unwrap(), 3);
    assert_eq!((library::echo::run(1u8).unwrap(), library::renamed::run(2u8).unwrap()), (1, 2));
    assert_eq!((shown::run(7u8).unwrap(), shown::run(Vec1(1)).unwrap()), ("7".into(), "[1]".into()));
}

#[test]
fn in_a_function_body_with_types_of_its_own() {
    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Local(u32);

    impl SpawnSafe for Local {}

    #[child_entry(instantiate(T = Local), instantiate(T = u8))]
    fn twice<T: Clone>(value: Vec<T>) -> Vec<T> {
        [value.as_slice(), value.as_slice()].concat()
    }

    impl Clone for Local {
        fn clone(&self) -> Self {
            Self(self.0 + 1)
        }
    }

    assert_eq!(twice::run(vec![Local(1)]).unwrap(), [Local(2), Local(2)]);
    assert_eq!(twice::run(vec![1u8]).unwrap(), [1, 1]);
}

/// What calls a generic entry for any listed type says so with the bounds of the method.
#[test]
fn from_generic_code_through_a_function() {
    fn run<T, R>(call: impl Fn(T) -> spawnsafe::Call<R>, value: T) -> R {
        call(value).run().unwrap()
    }
    assert_eq!(run(sum::call::<u32>, vec![1, 2]), 3);
    assert_eq!(run(sum::call, vec![1.0, 2.0]), 3.0);
}
