//! Types that travel, as people write them: what the derive and `#[trust]` must not stumble over.

use std::collections::HashMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Mutex;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry};

/// Types of another crate that know nothing of this one.
mod foreign {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    pub(super) struct Point {
        pub(super) x: u32,
    }

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    pub(super) struct List<T>(pub(super) Vec<T>);

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    pub(super) struct Name<'a>(pub(super) std::borrow::Cow<'a, str>);

    /// Without serde.
    #[derive(Debug, Clone, PartialEq)]
    pub(super) struct Bare(pub(super) u8);
}

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
struct Unit;

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
struct Tuple(u8, (), [u8; 3]);

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
#[allow(non_camel_case_types)]
struct r#struct {
    r#type: u8,
}

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
enum Shape<T = u8> {
    Point,
    Line(T, T),
    Group { inside: Vec<Self>, around: Option<Box<Shape<T>>> },
}

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
enum Never {}

/// Bounds of its own, a default, a constant, a marker.
#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
#[serde(bound = "")]
struct Bounded<K: Ord + Debug, V: Clone = u8, const N: usize = 2>
where
    K: std::hash::Hash + Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    map: HashMap<K, V>,
    marker: PhantomData<[K; N]>,
    #[trust]
    foreign: foreign::List<V>,
}

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
struct Trusting<T> {
    #[trust]
    point: foreign::Point,
    #[trust]
    points: HashMap<String, foreign::Point>,
    #[trust]
    list: foreign::List<T>,
    #[trust]
    #[serde(with = "bare")]
    bare: foreign::Bare,
    plain: T,
}

/// How a type without serde's traits travels.
mod bare {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::foreign::Bare;

    pub(super) fn serialize<S: Serializer>(bare: &Bare, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(bare.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bare, D::Error> {
        u8::deserialize(deserializer).map(Bare)
    }
}

/// What is not sent may be anything.
#[derive(Serialize, Deserialize, SpawnSafe, Debug, Default)]
#[allow(dead_code)]
struct Caching {
    id: u32,
    #[serde(skip)]
    cache: Mutex<Option<u32>>,
    #[serde(skip_deserializing, rename = "x", skip_serializing)]
    other: std::cell::RefCell<u8>,
}

/// What serde makes of it is what is sent.
#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone)]
#[serde(into = "(u32, String)", try_from = "(u32, String)")]
struct Open {
    shared: std::sync::Arc<Mutex<(u32, String)>>,
    _check: fn(&str) -> bool,
}

impl From<Open> for (u32, String) {
    fn from(open: Open) -> Self {
        open.shared.lock().unwrap().clone()
    }
}

impl From<(u32, String)> for Open {
    fn from(pair: (u32, String)) -> Self {
        Self { shared: std::sync::Arc::new(Mutex::new(pair)), _check: str::is_empty }
    }
}

#[deprecated]
#[allow(dead_code)]
#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
struct Old {
    #[allow(deprecated)]
    older: Option<Box<Old>>,
}

#[derive(Serialize, Deserialize, SpawnSafe)]
#[allow(deprecated, dead_code)]
struct OfOld {
    old: Old,
}

macro_rules! types {
    ($($name:ident { $field:ident: $ty:ty } trusting $foreign:ty;)*) => {$(
        #[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
        struct $name {
            $field: $ty,
            all: Vec<$ty>,
            unit: $crate::types::Unit,
            #[trust]
            foreign: $foreign,
        }
    )*};
}

types! { Generated { one: Option<u8> } trusting foreign::List<foreign::Point>; }

#[child_entry]
fn shapes(unit: Unit, tuple: Tuple, raw: r#struct, shape: &Shape, never: Option<Never>) -> (Unit, Shape<String>) {
    let (n, Tuple(a, (), [b, ..]), Shape::Group { inside, around: None }) = (raw.r#type, tuple, shape) else {
        panic!("{shape:?}");
    };
    assert_eq!(never, None);
    (unit, Shape::Line(format!("{n}{a}{b}"), format!("{inside:?}")))
}

#[child_entry]
fn bounded(value: Bounded<String>) -> Bounded<String, u8, 3> {
    Bounded { map: value.map, marker: PhantomData, foreign: value.foreign }
}

#[child_entry]
fn trusting(value: Trusting<u16>, generated: Vec<Generated>) -> (Vec<Generated>, Trusting<u16>) {
    (generated, value)
}

#[child_entry]
fn left_out(caching: Caching, open: &Open) -> (u32, Option<u32>, Open) {
    (caching.id, *caching.cache.lock().unwrap(), open.clone())
}

#[child_entry]
fn trusted(
    #[trust] point: foreign::Point,
    #[trust] lent: &foreign::Point,
    #[trust]
    #[allow(unused_mut)]
    mut slice: &[foreign::Point],
    #[cfg(any())]
    #[trust]
    missing: Missing,
    #[trust] foreign::List(numbers): foreign::List<u32>,
    #[trust] name: foreign::Name<'_>,
    #[trust] names: &[foreign::Name<'_>],
) -> String {
    format!("{point:?} {lent:?} {slice:?} {numbers:?} {name:?} {names:?}")
}

#[test]
fn of_all_shapes() {
    let shape = || Shape::Group { inside: vec![Shape::Point, Shape::Line(1, 2)], around: None };
    let given = || (Unit, Tuple(1, (), [2; 3]), r#struct { r#type: 3 }, shape());
    let ((a, b, c, d), (e, f, g, h)) = (given(), given());
    assert_eq!(shapes::run(a, b, c, &d, None).unwrap(), shapes(e, f, g, &h, None));
}

#[test]
fn with_bounds_of_their_own() {
    let value =
        Bounded { map: HashMap::from([("a".to_owned(), 1)]), marker: PhantomData, foreign: foreign::List(vec![1]) };
    assert_eq!(bounded::run(value.clone()).unwrap(), bounded(value));
}

#[test]
fn with_trusted_fields() {
    let point = foreign::Point { x: 1 };
    let value = Trusting {
        points: HashMap::from([("a".to_owned(), point.clone())]),
        point: point.clone(),
        list: foreign::List(vec![1, 2]),
        bare: foreign::Bare(3),
        plain: 4,
    };
    let generated = vec![Generated { one: Some(1), all: vec![None], unit: Unit, foreign: foreign::List(vec![point]) }];
    let (back, same) = trusting::run(value.clone(), generated.clone()).unwrap();
    assert_eq!((back, same), (generated, value));
}

#[test]
fn with_fields_that_stay() {
    let caching = Caching { id: 1, cache: Mutex::new(Some(2)), other: 3.into() };
    let open = Open::from((4, "5".to_owned()));
    let (id, cache, open) = left_out::run(caching, &open).unwrap();
    assert_eq!((id, cache, open.into()), (1, None, (4, "5".to_owned())));
}

#[test]
fn trusted_parameters() {
    let point = |x| foreign::Point { x };
    let name = || foreign::Name("n".into());
    let (lent, slice, names) = (point(2), [point(3)], [name()]);
    let list = || foreign::List(vec![4]);
    let back = trusted::run(point(1), &lent, &slice, list(), name(), &names).unwrap();
    assert_eq!(back, trusted(point(1), &lent, &slice, list(), name(), &names));
}

#[test]
fn in_a_function_body() {
    #[derive(Serialize, Deserialize, SpawnSafe, Debug, PartialEq)]
    struct Local {
        #[trust]
        inner: Inner,
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Inner(u8);

    #[child_entry]
    fn entry(local: Local, #[trust] inner: Inner) -> Local {
        Local { inner: Inner(local.inner.0 + inner.0) }
    }

    assert_eq!(entry::run(Local { inner: Inner(1) }, Inner(2)).unwrap(), Local { inner: Inner(3) });
}
