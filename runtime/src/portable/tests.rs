//! Each plain type of std, and of the crates behind features, arrives as it was: by value, in a run, in a container,
//! and lent.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::num::{NonZeroI64, NonZeroI128, NonZeroU8, NonZeroU128, NonZeroUsize, Saturating, Wrapping};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{LendSafe, SpawnSafe, argument, lent};
use crate::wire::{Memory, Packed, Packer, Unpacker};

const MEMORY: Memory = Memory { stack_end: || None, advise_large: |_| {} };

fn packer() -> Packer {
    Packer::new(MEMORY)
}

fn unpack<T>(packed: Packed, unpack: impl FnOnce(&mut Unpacker<'_>) -> T) -> T {
    let mut unpacker = Unpacker::new(&packed.items, packed.arrived_blobs(), MEMORY);
    let value = unpack(&mut unpacker);
    unpacker.finish().unwrap();
    value
}

fn there_and_back<T: SpawnSafe>(value: T) -> T {
    let (codec, mut packer) = (argument::<T>(), packer());
    (codec.pack)(value, &mut packer).unwrap();
    unpack(packer.finish(), |unpacker| super::unpack(&codec, "value", unpacker).unwrap())
}

#[track_caller]
fn is_lent<T: LendSafe + PartialEq + Debug + ?Sized>(value: &T) {
    let (codec, mut packer) = (lent::<T>(), packer());
    (codec.pack)(value, &mut packer).unwrap();
    let loan = unpack(packer.finish(), |unpacker| super::unpack_lent(&codec, "value", unpacker).unwrap());
    assert_eq!(loan.lend(), value);
}

#[track_caller]
fn arrives<T: SpawnSafe + PartialEq + Debug>(make: impl Fn() -> T) {
    assert_eq!(there_and_back(make()), make());
    assert_eq!(there_and_back(vec![make(), make()]), [make(), make()]);
    assert_eq!(there_and_back(Some(make())), Some(make()));
    is_lent(&make());
    is_lent(&*vec![make()]);
}

#[test]
fn numbers() {
    arrives(|| (u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX, usize::MAX));
    arrives(|| (i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN, isize::MIN));
    arrives(|| (f32::MIN_POSITIVE, f64::MAX, -0.0_f64, true, 'ß', ()));
    arrives(|| (NonZeroU8::MAX, NonZeroU128::MAX, NonZeroUsize::MIN, NonZeroI64::MIN, NonZeroI128::MIN));
    arrives(|| (Wrapping(3_u8), Saturating(i128::MIN), Saturating(7_usize), Reverse(1_u8)));
}

/// Below and above what makes a run, and what makes a blob.
#[test]
fn lists_of_numbers() {
    for count in [0, 1, 15, 16, 17, 1000, 70_000] {
        macro_rules! lists {
            ($($number:ty)*) => {$(
                arrives(|| (0..count).map(|i| i as $number).collect::<Vec<_>>());
                arrives(|| (0..count).map(|i| Some(i as $number)).collect::<Box<[_]>>());
                arrives(|| Ok::<_, String>(vec![<$number>::MIN, <$number>::MAX].repeat(count / 2)));
            )*};
        }
        lists! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }
        arrives(|| (0..count).map(|i| i % 3 == 0).collect::<Vec<_>>());
        arrives(|| (0..count).map(|i| i % 3 == 0).collect::<VecDeque<_>>());
    }
}

#[test]
fn texts_and_paths() {
    arrives(|| ("text".to_owned(), Box::<str>::from("text"), Cow::<'static, str>::from("text")));
    arrives(|| (OsString::from("os"), Box::<OsStr>::from(OsStr::new("os")), Cow::from(OsStr::new("os"))));
    arrives(|| (CString::from(c"c"), Box::<CStr>::from(c"c"), Cow::from(c"c")));
    arrives(|| PathBuf::from("/path"));
    arrives(|| Box::<Path>::from(Path::new("/path")));
    arrives(|| Cow::from(Path::new("/path")));
    is_lent("text");
    is_lent(OsStr::new("os"));
    is_lent(c"c");
    is_lent(Path::new("/path"));
}

#[test]
fn times_and_addresses() {
    arrives(|| (Duration::MAX, SystemTime::UNIX_EPOCH + Duration::new(1, 2)));
    arrives(|| ["127.0.0.1:80", "[::1]:80"].map(|address| address.parse::<std::net::SocketAddr>().unwrap()));
    arrives(|| ["127.0.0.1", "::1"].map(|address| address.parse::<std::net::IpAddr>().unwrap()));
}

#[test]
fn containers() {
    arrives(|| (VecDeque::from([1_u8]), LinkedList::from([2_u8]), BTreeSet::from([3_u8]), HashSet::from([4_u8])));
    arrives(|| (BTreeMap::from([(1_u8, "a".to_owned())]), HashMap::from([("b".to_owned(), vec![1_u8])])));
    arrives(|| (Box::new(1_u8), Box::<[u8]>::from([1, 2]), Some(Some(())), Result::<u8, String>::Ok(1)));
    arrives(|| (Cow::<'static, u64>::Owned(1), Cow::<'static, [u64]>::Owned(vec![1])));
    arrives(|| (1..2_u8, 1..=2_u8, 1.., ..2_u8, Bound::Included(1_u8), PhantomData::<fn()>));
    arrives(|| ([0_u8; 0], [1_u8; 32], (1_u8, 2_u8, 3_u8, 4_u8, 5_u8, 6_u8, 7_u8, 8_u8, 9_u8, 10_u8, 11_u8, 12_u8)));
    let heap = there_and_back(BinaryHeap::from([2_u8, 1]));
    assert_eq!(heap.into_sorted_vec(), [1, 2]);
}

#[cfg(feature = "bytes")]
#[test]
fn bytes() {
    arrives(|| (bytes::Bytes::from_static(b"\x00\xff"), bytes::BytesMut::from(&b"\x01"[..])));
    let long = || bytes::Bytes::from(vec![7; 1 << 20]);
    arrives(long);
}

#[cfg(feature = "chrono")]
#[test]
fn chrono() {
    use chrono::{DateTime, FixedOffset, Month, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};

    arrives(|| (NaiveDate::MIN, NaiveDateTime::MAX, NaiveTime::from_hms_nano_opt(23, 59, 59, 1_999_999_999).unwrap()));
    arrives(|| (TimeDelta::MIN, Weekday::Sun, Month::May, DateTime::<Utc>::from_timestamp(-1, 1).unwrap()));
    arrives(|| DateTime::<FixedOffset>::parse_from_rfc3339("2024-02-29T12:00:00.000000001+05:30").unwrap());
}

#[cfg(feature = "indexmap")]
#[test]
fn indexmap() {
    use indexmap::{IndexMap, IndexSet};

    arrives(|| IndexMap::<u8, String>::from_iter([(2, "b".to_owned()), (1, "a".to_owned())]));
    arrives(|| IndexSet::<u8>::from_iter([2, 1]));
    let in_order = there_and_back(IndexMap::<u8, ()>::from_iter([(2, ()), (1, ())]));
    assert!(in_order.keys().eq(&[2, 1]));
}

#[cfg(feature = "rust_decimal")]
#[test]
fn rust_decimal() {
    use rust_decimal::Decimal;

    arrives(|| [Decimal::MIN, Decimal::new(120, 2), Decimal::new(1, 28), Decimal::ZERO]);
    assert_eq!(there_and_back(Decimal::new(120, 2)).to_string(), "1.20");
}

#[cfg(feature = "semver")]
#[test]
fn semver() {
    arrives(|| semver::Version::parse("1.2.3-rc.1+build").unwrap());
    arrives(|| semver::VersionReq::parse(">=1.2, <2").unwrap());
    arrives(|| semver::Comparator::parse("~1.2").unwrap());
}

#[cfg(feature = "serde_json")]
#[test]
fn serde_json() {
    use serde_json::{Map, Number, Value};

    let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.0, 0.1, "text", {}], "b": {"c": []}}"#;
    arrives(|| text.parse::<Value>().unwrap());
    arrives(|| Map::from_iter([("a".to_owned(), Value::Null)]));
    arrives(|| (Number::from(u64::MAX), Number::from(i64::MIN), Number::from_f64(1.0).unwrap()));
}

#[cfg(feature = "smallvec")]
#[test]
fn smallvec() {
    use smallvec::{SmallVec, smallvec};

    arrives(|| -> (SmallVec<[u8; 4]>, SmallVec<[String; 1]>) {
        (smallvec![1, 2], smallvec!["a".to_owned(), "b".to_owned()])
    });
}

#[cfg(feature = "time")]
#[test]
fn time() {
    use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcDateTime, UtcOffset, Weekday};

    let at = || OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(-1);
    let offset = || UtcOffset::from_hms(-5, -30, -1).unwrap();
    arrives(|| (at().to_offset(offset()), offset(), UtcDateTime::UNIX_EPOCH, PrimitiveDateTime::MAX));
    arrives(|| (Date::MIN, Time::MAX, Duration::MIN, Weekday::Sunday, Month::May));
}

#[cfg(feature = "url")]
#[test]
fn url() {
    arrives(|| url::Url::parse("https://user@example.org:8080/a%20b?c=d#e").unwrap());
    arrives(|| url::Host::parse("[::1]").unwrap());
}

#[cfg(feature = "uuid")]
#[test]
fn uuid() {
    arrives(|| (uuid::Uuid::from_u128(1), uuid::Uuid::nil(), uuid::NonNilUuid::new(uuid::Uuid::max()).unwrap()));
}
