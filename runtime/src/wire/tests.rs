//! What arrives equals what was sent, and no bytes can do harm.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;

const NO_BOUNDS: Memory = Memory { stack_end: || None, advise_large: |_| {} };

fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Packed, CodecError> {
    let mut packer = Packer::new(NO_BOUNDS);
    packer.value(value)?;
    Ok(packer.finish())
}

fn unpack<T: DeserializeOwned>(packed: Packed) -> Result<T, CodecError> {
    let mut unpacker = Unpacker::new(&packed.items, packed.arrived_blobs(), NO_BOUNDS);
    let value = unpacker.value()?;
    unpacker.finish()?;
    Ok(value)
}

#[track_caller]
fn arrives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let packed = pack(&value).unwrap();
    let items = packed.items.clone();
    assert_eq!(unpack::<T>(packed).unwrap_or_else(|e| panic!("{e}: {items:02x?}")), value, "{items:02x?}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i16, Option<Unit>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    name: String,
    address: std::net::IpAddr,
    maybe: Option<Option<u8>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    first: char,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum External {
    Unit,
    Newtype(Option<()>),
    Tuple(u8, i128),
    Struct {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_out: Option<u64>,
        bytes: serde_bytes::ByteBuf,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Internal {
    Nothing,
    OneThing(Inner),
    ManyThings { address: std::net::SocketAddr, list: Vec<Option<Option<i8>>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A,
    B(Option<Option<()>>),
    C(u8, f32),
    D { x: Newtype<Option<u8>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Number(i64),
    Text(String),
    List(Vec<Untagged>),
    Struct { deep: Box<Untagged> },
}

fn inner() -> impl Strategy<Value = Inner> {
    (".{0,8}", any::<std::net::IpAddr>(), any::<Option<Option<u8>>>()).prop_map(|(name, address, maybe)| Inner {
        name,
        address,
        maybe,
    })
}

fn external() -> impl Strategy<Value = External> {
    prop_oneof![
        Just(External::Unit),
        any::<Option<()>>().prop_map(External::Newtype),
        any::<(u8, i128)>().prop_map(|(a, b)| External::Tuple(a, b)),
        (any::<Option<u64>>(), any::<Vec<u8>>())
            .prop_map(|(left_out, bytes)| External::Struct { left_out, bytes: serde_bytes::ByteBuf::from(bytes) }),
    ]
}

/// Without flow information and scope, which serde itself does not carry.
fn socket_address() -> impl Strategy<Value = std::net::SocketAddr> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(std::net::SocketAddr::from)
}

fn internal() -> impl Strategy<Value = Internal> {
    prop_oneof![
        Just(Internal::Nothing),
        inner().prop_map(Internal::OneThing),
        (socket_address(), any::<Vec<Option<Option<i8>>>>())
            .prop_map(|(address, list)| Internal::ManyThings { address, list }),
    ]
}

fn adjacent() -> impl Strategy<Value = Adjacent> {
    prop_oneof![
        Just(Adjacent::A),
        any::<Option<Option<()>>>().prop_map(Adjacent::B),
        (any::<u8>(), any::<f32>()).prop_map(|(a, b)| Adjacent::C(a, b)),
        any::<Option<u8>>().prop_map(|x| Adjacent::D { x: Newtype(x) }),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let leaf = prop_oneof![
        Just(Untagged::Nothing),
        any::<i64>().prop_map(Untagged::Number),
        ".{0,5}".prop_map(Untagged::Text),
    ];
    leaf.prop_recursive(6, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Untagged::List),
            inner.prop_map(|deep| Untagged::Struct { deep: Box::new(deep) }),
        ]
    })
}

proptest! {
    #[test]
    fn options_in_options(value: Option<Option<Option<Option<()>>>>, list: Vec<Option<Option<bool>>>) {
        arrives((value, list));
    }

    #[test]
    fn options_behind_newtypes(a: Option<Option<()>>, b: Option<Option<u8>>) {
        arrives((Some(Newtype(a)), Newtype(Some(Newtype(b))), Ok::<_, ()>(a), Err::<(), _>(b)));
    }

    #[test]
    fn integers(a: i8, b: i16, c: i32, d: i64, e: i128, f: u8, g: u16, h: u32, i: u64, j: u128) {
        arrives((a, b, c, d, e, f, g, h, i, j));
    }

    #[test]
    fn floats_keep_every_bit(a: u32, b: u64) {
        let packed = pack(&(f32::from_bits(a), f64::from_bits(b))).unwrap();
        let (x, y): (f32, f64) = unpack(packed).unwrap();
        prop_assert_eq!((x.to_bits(), y.to_bits()), (a, b));
    }

    #[test]
    fn texts_bytes_and_maps(a: String, b: char, c: Vec<u8>, d: HashMap<String, Vec<u16>>, e: BTreeMap<(i8, bool), char>) {
        arrives((a, b, serde_bytes::ByteBuf::from(c.clone()), c, d, e));
    }

    #[test]
    fn external_enums(value in external(), list in prop::collection::vec(external(), 0..4)) {
        arrives((Some(value), list));
    }

    #[test]
    fn internally_tagged_enums(value in internal()) {
        arrives(value);
    }

    #[test]
    fn adjacently_tagged_enums(value in adjacent(), other in prop::option::of(adjacent())) {
        arrives((value, other));
    }

    #[test]
    fn untagged_enums(value in untagged()) {
        arrives(value);
    }

    #[test]
    fn flattened_structs(first: char, inner in inner(), rest: BTreeMap<u64, i32>) {
        let rest = rest.into_iter().map(|(key, value)| (format!("k{key}"), f64::from(value))).collect();
        arrives(Flattened { first, inner, rest });
    }

    #[test]
    fn unit_types(pair: i16, unit: Option<()>) {
        arrives((Unit, (), Some(Unit), Pair(pair, unit.map(|()| Unit)), unit, std::marker::PhantomData::<u8>));
    }

    #[test]
    fn std_types(duration: std::time::Duration, path: String, address: std::net::Ipv6Addr, range: Range<i32>) {
        arrives((duration, std::path::PathBuf::from(path), address, range, std::ffi::OsString::from("x")));
    }

    #[test]
    fn ciborium_reads_what_is_written(
        value in external(),
        number: u64,
        // It does not make a list of a typed array.
        list in prop::collection::vec(any::<Option<i32>>(), 0..numbers::RUN_MIN),
        text: String,
    ) {
        let value = (value, number, list, text);
        let packed = pack(&value).unwrap();
        prop_assume!(!packed.items.windows(3).any(|window| window == encode::SOME_PREFIX));
        let read: (External, u64, Vec<Option<i32>>, String) = ciborium::from_reader(&packed.items[..]).unwrap();
        prop_assert_eq!(read, value);
    }

    #[test]
    fn what_ciborium_writes_is_read(value in external(), number: i64, list: Vec<Option<i32>>) {
        // This one is lost by ciborium's serializer.
        prop_assume!(value != External::Newtype(Some(())));
        let value = (value, number, list);
        let mut items = Vec::new();
        ciborium::into_writer(&value, &mut items).unwrap();
        prop_assert_eq!(unpack::<(External, i64, Vec<Option<i32>>)>(Packed { items, blobs: vec![], ..Packed::default() }).unwrap(), value);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(items: Vec<u8>, blobs: Vec<Vec<u8>>) {
        let packed = || Packed { items: items.clone(), blobs: blobs.iter().cloned().map(Blob::from).collect(), ..Packed::default() };
        let _ = unpack::<Untagged>(packed());
        let _ = unpack::<Internal>(packed());
        let _ = unpack::<External>(packed());
        let _ = unpack::<Vec<Option<String>>>(packed());
        let _ = unpack::<HashMap<String, u128>>(packed());
        let _ = CallHead::decode(&items);
        let _ = GlobalHead::decode_all(&items);
    }

    #[test]
    fn a_damaged_value_is_a_value_or_an_error(value in external(), at: prop::sample::Index, byte: u8) {
        let mut packed = pack(&value).unwrap();
        let at = at.index(packed.items.len());
        packed.items[at] = byte;
        let _ = unpack::<External>(packed);
    }

    #[test]
    fn a_truncated_value_is_an_error(value in external(), at: prop::sample::Index) {
        let mut packed = pack(&(value, 1)).unwrap();
        packed.items.truncate(at.index(packed.items.len()));
        prop_assert!(unpack::<(External, u8)>(packed).is_err());
    }

    #[test]
    fn headers(kind in prop_oneof![Just(Kind::Call), Just(Kind::Value), Just(Kind::Failure), Just(Kind::LastWords)],
               blobs: u16, attachments in 0..=MAX_ATTACHMENTS as u16, len in 0..=MAX_FRAME) {
        let header = Header { kind, blobs, attachments, len };
        prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn any_header_is_a_header_or_an_error(bytes: [u8; HEADER_LEN]) {
        let _ = Header::decode(&bytes);
    }

    #[test]
    fn call_heads(build: u64, index: u32, position: (u32, u32), name: String, dir: Vec<u8>, rest: Vec<u8>) {
        let head = CallHead { build, index, position, name: &name, process_name: "p", current_dir: &dir, events: 3 };
        let mut bytes = head.encode();
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(CallHead::decode(&bytes), Some((head, &rest[..])));
    }

    #[test]
    fn global_values(globals: Vec<(u32, (u32, u32), String, Vec<u8>)>, rest: Vec<u8>, cut: prop::sample::Index) {
        let mut bytes = (globals.len() as u32).to_le_bytes().to_vec();
        let mut values = Vec::new();
        for (index, position, name, value) in &globals {
            let head = GlobalHead { index: *index, position: *position, name };
            head.encode(value.len(), &mut bytes);
            bytes.extend_from_slice(value);
            values.push((head, &value[..]));
        }
        let end = bytes.len();
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(GlobalHead::decode_all(&bytes), Some((values, &rest[..])));
        prop_assert_eq!(GlobalHead::decode_all(&bytes[..cut.index(end)]), None);
    }
}

#[test]
fn the_bytes_of_a_global_value() {
    let mut bytes = vec![1, 0, 0, 0];
    GlobalHead { index: 2, position: (3, 4), name: "a::B" }.encode(1, &mut bytes);
    bytes.push(0x07);
    assert_eq!(bytes[..16], [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(bytes[16..28], *b"\x04\0\0\0\0\0\0\0a::B");
    assert_eq!(bytes[28..], *b"\x01\0\0\0\0\0\0\0\x07");
    // A name or a value that claims to be longer than all there is, and more values than there can be.
    for at in [0, 16, 28] {
        let mut damaged = bytes.clone();
        damaged[at..at + 4].fill(0xff);
        assert_eq!(GlobalHead::decode_all(&damaged), None);
    }
}

#[test]
fn a_value_without_blobs() {
    let long = ("x".repeat(BLOB_MIN), serde_bytes::ByteBuf::from(vec![1; 3 * BLOB_MIN]));
    let mut packer = Packer::new(NO_BOUNDS).items_only();
    packer.value(&long).unwrap();
    let packed = packer.finish();
    assert!(packed.blobs.is_empty());
    assert_eq!(unpack::<(String, serde_bytes::ByteBuf)>(packed).unwrap(), long);
}

#[test]
fn integers_at_the_edges() {
    arrives((i128::MIN, i128::MAX, u128::MAX, u64::MAX, i64::MIN, i128::from(u64::MAX) + 1, -i128::from(u64::MAX) - 2));
}

#[test]
fn big_byte_arrays() {
    for len in [0, 1, 4095, 4096, 4097, 8192, BLOB_MIN - 1, BLOB_MIN, 3 << 20] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        arrives(serde_bytes::ByteBuf::from(bytes.clone()));
        arrives(bytes);
        arrives("ä".repeat(len / 2));
    }
    arrives(serde_bytes::ByteArray::new([7_u8; 8192]));
    arrives(serde_bytes::ByteArray::new([7_u8; BLOB_MIN]));
}

#[test]
fn a_long_string_arrives_through_the_buffer_of_an_untagged_enum() {
    arrives(Untagged::Struct { deep: Box::new(Untagged::Text("x".repeat(BLOB_MIN))) });
}

#[test]
fn more_long_strings_than_a_frame_has_blobs() {
    let one = "y".repeat(BLOB_MIN);
    let mut packer = Packer::new(NO_BOUNDS);
    packer.packed.blobs = (0..u16::MAX).map(|_| Vec::<u8>::new().into()).collect();
    packer.value(&one).unwrap();
    let packed = packer.finish();
    assert_eq!(packed.blobs.len(), usize::from(u16::MAX));
    // The blobs here are nobody's.
    assert_eq!(Unpacker::new(&packed.items, packed.arrived_blobs(), NO_BOUNDS).value::<String>().unwrap(), one);
}

#[test]
fn a_blob_that_nothing_refers_to_is_an_error() {
    let packed = pack(&("z".repeat(BLOB_MIN), 7_u8)).unwrap();
    let mut blobs = packed.arrived_blobs();
    blobs.push(vec![1]);
    let mut unpacker = Unpacker::new(&packed.items, blobs, NO_BOUNDS);
    assert_eq!(unpacker.value::<(String, u8)>().unwrap().1, 7);
    let error = unpacker.finish().unwrap_err().to_string();
    assert!(error.contains("nothing refers to"), "{error}");
    // Nor may one be left where there are bytes as well.
    let mut bytes_left = Unpacker::new(&[1, 2], vec![vec![3]], NO_BOUNDS);
    assert!(bytes_left.finish().unwrap_err().to_string().contains("2 bytes"));
}

#[test]
fn integers_have_the_shortest_form() {
    for (value, len) in [(23, 1), (24, 2), (255, 2), (256, 3), (65_535, 3), (65_536, 5), (1 << 32, 9), (u64::MAX, 9)] {
        let packed = pack(&value).unwrap();
        let mut theirs = Vec::new();
        ciborium::into_writer(&value, &mut theirs).unwrap();
        assert_eq!((packed.items.len(), &packed.items), (len, &theirs));
        assert_eq!(unpack::<u64>(packed).unwrap(), value);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested(Option<Box<Nested>>);

fn nested(levels: usize) -> Nested {
    (0..levels).fold(Nested(None), |inner, _| Nested(Some(Box::new(inner))))
}

#[test]
fn nesting_beyond_the_stack_is_an_error_on_both_sides() {
    fn bounds() -> Option<usize> {
        // This frame's address less what the test below may use: a thread with a small stack.
        let here = 0_u8;
        Some((&raw const here as usize).saturating_sub(256 << 10))
    }
    let run = || {
        let deep = nested(100_000);
        let mut packer = Packer::new(Memory { stack_end: bounds, ..NO_BOUNDS });
        let error = packer.value(&deep).unwrap_err().to_string();
        assert!(error.contains("levels deep"), "{error}");
        drop_flat(deep);

        let items: Vec<u8> = std::iter::repeat_n([0x81], 100_000).flatten().chain([0xf6]).collect();
        let mut unpacker = Unpacker::new(&items, Vec::new(), Memory { stack_end: bounds, ..NO_BOUNDS });
        let error = unpacker.value::<Untagged>().unwrap_err().to_string();
        assert!(error.contains("levels deep"), "{error}");
    };
    std::thread::Builder::new().stack_size(16 << 20).spawn(run).unwrap().join().unwrap();
}

fn drop_flat(mut nested: Nested) {
    while let Some(inner) = nested.0.take() {
        nested = *inner;
    }
}

#[test]
fn nesting_of_some_hundred_levels_arrives() {
    fn bounds() -> Option<usize> {
        Some(0)
    }
    let run = || {
        let deep = nested(1000);
        let mut packer = Packer::new(Memory { stack_end: bounds, ..NO_BOUNDS });
        packer.value(&deep).unwrap();
        let packed = packer.finish();
        let mut unpacker =
            Unpacker::new(&packed.items, packed.arrived_blobs(), Memory { stack_end: bounds, ..NO_BOUNDS });
        assert_eq!(unpacker.value::<Nested>().unwrap(), deep);
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_serialize_that_miscounts_is_an_error() {
    struct Liar;
    impl Serialize for Liar {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(Some(3))?;
            seq.serialize_element(&1)?;
            seq.end()
        }
    }
    assert_eq!(pack(&Liar).unwrap_err().to_string(), "its `Serialize` announced 3 elements and wrote 1");
}

#[test]
fn a_blob_can_be_taken_once() {
    let packed = pack(&("z".repeat(BLOB_MIN),)).unwrap();
    // An array of two, both blob 0.
    let mut items = packed.items.clone();
    items[0] = 0x82;
    items.extend_from_slice(&packed.items[1..]);
    let error = unpack::<(String, String)>(Packed { items, blobs: packed.blobs, ..Packed::default() }).unwrap_err();
    assert!(error.to_string().contains("blob 0"), "{error}");
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    // An array, a map, a text and a byte string that claim 2^62 elements.
    for initial in [0x9b, 0xbb, 0x7b, 0x5b] {
        let mut items = vec![initial];
        items.extend_from_slice(&(1_u64 << 62).to_be_bytes());
        let packed = || Packed { items: items.clone(), blobs: Vec::new(), ..Packed::default() };
        assert!(unpack::<Vec<u64>>(packed()).is_err());
        assert!(unpack::<HashMap<u64, u64>>(packed()).is_err());
        assert!(unpack::<Untagged>(packed()).is_err());
        assert!(unpack::<String>(packed()).is_err());
    }
}

/// What the bytes are is part of the contract: another version of this crate, or a system with another byte order,
/// must read them.
#[test]
fn golden_bytes() {
    let packed = pack(&(1_u8, -2_i16, Some(Some(())), None::<u8>, 1.5_f32, "é", External::Tuple(3, -4))).unwrap();
    #[rustfmt::skip]
    assert_eq!(packed.items, [
        0x87, 0x01, 0x21, 0xd9, 0x53, 0x50, 0xd9, 0x53, 0x50, 0xf6, 0xf6, 0xfa, 0x3f, 0xc0, 0, 0, 0x62, 0xc3, 0xa9,
        0xa1, 0x65, b'T', b'u', b'p', b'l', b'e', 0x82, 0x03, 0x23,
    ]);
    let header = Header { kind: Kind::Value, blobs: 0x0102, attachments: 0x0506, len: 0x0304 };
    assert_eq!(header.encode(), *b"spw\x01\x02\x00\x02\x01\x04\x03\x00\x00\x00\x00\x06\x05");
}
