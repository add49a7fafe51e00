//! Lists that are runs of numbers, stop being such, or only look so.

use std::collections::VecDeque;
use std::fmt::Debug;

use ciborium::Value;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::wire::{BLOB_MIN, Memory, Packed, Unpacker};

const MEMORY: Memory = Memory { stack_end: || None, advise_large: |_| {} };

/// Anything that may stand between numbers, and what lists of it may look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Mixed {
    Unsigned(u64),
    Float(f64),
    Maybe(Option<Option<i32>>),
    Text(String),
    List(Vec<Mixed>),
    Lists { short: Vec<f32>, long: Vec<Option<u16>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Meters(f64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Track {
    name: String,
    positions: Vec<(f32, f32)>,
    heights: VecDeque<Meters>,
    samples: Box<[i16]>,
    hash: [u8; 32],
    maybe: Vec<Option<u64>>,
    nested: Vec<Vec<u32>>,
    maybe_lists: Vec<Option<Vec<Option<i8>>>>,
}

fn pack<T: Serialize>(value: &T) -> Packed {
    let mut packer = Packer::new(MEMORY);
    packer.value(value).unwrap();
    packer.finish()
}

fn unpack<T: DeserializeOwned>(packed: &Packed) -> Result<T, CodecError> {
    let mut unpacker = Unpacker::new(&packed.items, packed.arrived_blobs(), MEMORY);
    let value = unpacker.value()?;
    unpacker.finish()?;
    Ok(value)
}

#[track_caller]
fn arrives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let packed = pack(value);
    let arrived = unpack::<T>(&packed).unwrap_or_else(|error| panic!("{error}: {packed:?}"));
    assert_eq!(arrived, *value, "{packed:?}");
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("it is compared", |float| !float.is_nan())
}

fn mixed() -> impl Strategy<Value = Mixed> {
    let leaf = prop_oneof![
        20 => any::<u64>().prop_map(Mixed::Unsigned),
        // A whole number reads as an integer: the first variant that fits.
        4 => finite().prop_map(Mixed::Float),
        1 => Just(Mixed::Maybe(None)),
        1 => ".{0,3}".prop_map(Mixed::Text),
    ];
    leaf.prop_recursive(3, 200, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner, 0..40).prop_map(Mixed::List),
            (prop::collection::vec(-8_f32..8.0, 0..20), prop::collection::vec(any::<Option<u16>>(), 0..40))
                .prop_map(|(short, long)| Mixed::Lists { short, long }),
        ]
    })
}

proptest! {
    #[test]
    fn lists_of_anything(list in prop::collection::vec(mixed(), 0..60)) {
        arrives(&list);
    }

    #[test]
    fn lists_of_options(list in prop::collection::vec(any::<Option<Option<u8>>>(), 0..60)) {
        arrives(&list);
    }

    #[test]
    fn lists_of_numbers(
        a in prop::collection::vec(any::<i8>(), 0..40), b in prop::collection::vec(any::<u16>(), 0..40),
        c in prop::collection::vec(any::<i32>(), 0..40), d in prop::collection::vec(any::<u64>(), 0..40),
        e in prop::collection::vec(any::<i128>(), 0..40), f in prop::collection::vec(finite(), 0..40),
    ) {
        arrives(&(a, b, c, d, e, f));
    }

    #[test]
    fn garbage_behind_a_tag_is_an_error_or_a_value(tag in 64_u64..88, bytes in any::<Vec<u8>>()) {
        let mut packer = Packer::new(MEMORY);
        packer.header(Header::Tag(tag));
        packer.packed.items.extend_from_slice(&bytes);
        let packed = packer.finish();
        let _ = unpack::<Vec<Option<f64>>>(&packed);
        let _ = unpack::<Mixed>(&packed);
        let _ = Unpacker::new(&packed.items, Vec::new(), MEMORY).numbers::<u32>();
    }
}

#[test]
fn what_users_nest_arrives() {
    let track = |count: usize| Track {
        name: "x".repeat(count),
        positions: vec![(1.5, -2.5); count],
        heights: (0..count).map(|i| Meters(i as f64)).collect(),
        samples: (0..count).map(|i| i as i16 - 20).collect(),
        hash: [0xf6; 32],
        maybe: (0..count).map(|i| (i % 20 != 19).then_some(i as u64)).collect(),
        nested: (0..count % 50).map(|i| vec![i as u32; i]).collect(),
        maybe_lists: vec![Some(vec![Some(1); count % 30]), None, Some(vec![Some(1), None])],
    };
    for count in [0, 1, 15, 16, 17, 40, 20_000] {
        arrives(&track(count));
    }
}

#[test]
fn the_bytes_are_those_of_the_standard() {
    let order = if cfg!(target_endian = "little") { 4 } else { 0 };
    let numbers: Vec<u16> = (0..20).map(|i| 0x100 * i + 7).collect();
    let mut expected = vec![0xd8, 65 + order, 0x58, 40];
    expected.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
    assert_eq!(pack(&numbers).items, expected);
    let by_hook = {
        let mut packer = Packer::new(MEMORY);
        packer.numbers(&numbers).unwrap();
        packer.finish()
    };
    assert_eq!(by_hook.items, expected);
    let floats = vec![1.0_f64; 16];
    let Value::Tag(tag, bytes) = ciborium::from_reader(&pack(&floats).items[..]).unwrap() else { panic!("no tag") };
    assert_eq!((tag, *bytes), (82 + u64::from(order), Value::Bytes(1.0_f64.to_ne_bytes().repeat(16))));
}

#[test]
fn the_other_byte_order_is_read() {
    let order = if cfg!(target_endian = "little") { 0 } else { 4 };
    let mut items = vec![0xd8, 82 + order, 0x48];
    items.extend(1.5_f64.to_bits().swap_bytes().to_ne_bytes());
    let packed = Packed { items, blobs: Vec::new(), ..Packed::default() };
    assert_eq!(unpack::<Vec<f64>>(&packed).unwrap(), [1.5]);
    assert_eq!(Unpacker::new(&packed.items, Vec::new(), MEMORY).numbers::<f64>().unwrap(), [1.5]);
}

#[test]
fn long_runs_are_blobs_wherever_they_stand() {
    let numbers: Vec<i64> = (0..BLOB_MIN as i64).collect();
    for packed in [pack(&numbers), pack(&(1, Some(&numbers))), pack(&Some(Some(&numbers)))] {
        assert_eq!(packed.blobs.len(), 1);
        assert!(packed.items.len() < 40, "{:?}", packed.items);
    }
    arrives(&(1, Some(numbers.clone()), numbers.clone()));
    let mut mixed: Vec<Mixed> = numbers.iter().map(|&number| Mixed::Unsigned(number as u64)).collect();
    mixed.push(Mixed::Maybe(None));
    assert_eq!(pack(&mixed).blobs.len(), 0);
    arrives(&mixed);
}

#[test]
fn a_list_that_ends_early_or_late_is_an_error() {
    struct Announces(usize, usize);

    impl Serialize for Announces {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut list = serializer.serialize_seq(Some(self.0))?;
            (0..self.1).try_for_each(|_| list.serialize_element(&1_u8))?;
            list.end()
        }
    }

    for (announced, written) in [(20, 19), (20, 21), (usize::MAX, 1), (usize::MAX / 8, 20), (16, 0)] {
        let error = Packer::new(MEMORY).value(&Announces(announced, written)).unwrap_err();
        assert!(error.to_string().contains("announced"), "{error}");
    }
}

#[test]
fn a_list_that_skips_what_it_cannot_write_is_an_error() {
    /// Refuses to be written if it is 3, as a time before 1970 or a path that is not Unicode does.
    struct Picky(usize);

    impl Serialize for Picky {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                3 => Err(serde::ser::Error::custom("no threes")),
                number => serializer.serialize_u64(number as u64),
            }
        }
    }

    /// Begins a run, and leaves it open.
    struct Half;

    impl Serialize for Half {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..20).map(Picky))
        }
    }

    struct List(Option<usize>, usize);

    impl Serialize for List {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut list = serializer.serialize_seq(self.0)?;
            for i in 0..self.1 {
                let _ = list.serialize_element(&Picky(i));
            }
            list.end()
        }
    }

    struct Map;

    impl Serialize for Map {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap as _;
            let mut map = serializer.serialize_map(Some(1))?;
            let _ = map.serialize_entry("half", &Half);
            map.end()
        }
    }

    // As a blob it would arrive as a shorter list, and else take a byte of what follows for its last number.
    let error = |value: Result<(), CodecError>| value.unwrap_err().to_string();
    for list in [List(Some(BLOB_MIN), BLOB_MIN), List(Some(20), 20), List(Some(5), 5), List(None, 5)] {
        let error = error(Packer::new(MEMORY).value(&(list, 7_u64)));
        assert!(error.contains("could not be written"), "{error}");
    }
    assert!(error(Packer::new(MEMORY).value(&Map)).contains("could not be written"));
    assert_eq!(error(Packer::new(MEMORY).value(&[Half, Half])), "no threes");
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
enum Digit {
    Zero,
    One,
}

impl From<Digit> for u8 {
    fn from(digit: Digit) -> u8 {
        digit as u8
    }
}

impl TryFrom<u8> for Digit {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            0 => Ok(Digit::Zero),
            1 => Ok(Digit::One),
            _ => Err(format!("{number} is no binary digit")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Samples { left: Vec<f32>, right: Option<Vec<Option<i64>>>, key: [u8; 20] },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Signed(Vec<i8>),
    Wide([f64; 17]),
    Texts(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat<T> {
    name: String,
    #[serde(flatten)]
    rest: T,
}

#[test]
fn what_serde_buffers_or_converts_arrives() {
    use std::collections::{BTreeMap, HashSet};
    use std::num::{NonZero, Wrapping};

    for count in [0, 15, 16, 17, 300, BLOB_MIN] {
        let bytes = || (0..count).map(|i| i as u8);
        let tagged = Tagged::Samples {
            left: bytes().map(f32::from).collect(),
            right: Some(bytes().map(|byte| (byte != 255).then_some(-i64::from(byte))).collect()),
            key: [count as u8; 20],
        };
        arrives(&tagged);
        arrives(&vec![Some(tagged.clone()); 16]);
        let rest = BTreeMap::from([("a".to_owned(), bytes().map(u16::from).collect()), ("b".to_owned(), vec![])]);
        arrives(&Flat { name: "x".into(), rest });
        arrives(&Flat { name: "x".into(), rest: tagged });
        arrives(&[Either::Signed(bytes().map(|byte| byte as i8).collect()), Either::Wide([0.5; 17])]);
        arrives(&Either::Texts(vec!["16".into(); count + 1]));
        arrives(&bytes().map(|byte| if byte % 2 == 0 { Digit::Zero } else { Digit::One }).collect::<Vec<_>>());
        arrives(&bytes().map(|byte| Wrapping(i16::from(byte))).collect::<VecDeque<_>>());
        arrives(&bytes().filter_map(|byte| NonZero::new(u32::from(byte))).collect::<Vec<_>>());
        arrives(&(0..count as u64).collect::<HashSet<u64>>());
        arrives(&BTreeMap::from([(bytes().collect::<Vec<_>>(), 1), (vec![7; 16], 2)]));
        arrives(&(bytes().map(usize::from).collect::<Vec<_>>(), bytes().map(|byte| byte as isize).collect::<Vec<_>>()));
        arrives(&bytes().map(|byte| byte % 2 == 0).collect::<Vec<_>>());
        arrives(&bytes().map(char::from).collect::<Vec<_>>());
        arrives(&vec![(); count]);
        arrives(&bytes().map(Ok::<u8, String>).collect::<Vec<_>>());
        arrives(&std::ffi::OsString::from("x".repeat(count)));
        // Written as a list, and read as a byte string.
        let packed = pack(&bytes().collect::<Vec<u8>>());
        assert!(unpack::<serde_bytes::ByteBuf>(&packed).unwrap().iter().copied().eq(bytes()));
    }
}
