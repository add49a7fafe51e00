//! Handles travel wherever a value may stand, and whatever comes over a connection, none stays open by accident.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::link::{Frame, Inbox, Outbox, Progress, packer, unpacker};
use crate::sys::{self, Canary, Stream};
use crate::wire::{ATTACHMENTS_AT_ONCE, CodecError, HEADER_LEN, Kind, MAX_ATTACHMENTS, Packed};

/// As types of users are written.
#[derive(Debug)]
struct Open(Arc<OwnedHandle>);

impl Serialize for Open {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        attach(Arc::clone(&self.0), to)
    }
}

impl<'de> Deserialize<'de> for Open {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        claim(from).map(|handle| Open(Arc::new(handle)))
    }
}

/// One that is not watched.
fn some() -> Open {
    Open(Arc::new(File::open(std::env::current_exe().unwrap()).unwrap().into()))
}

fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Packed, CodecError> {
    let mut packer = packer();
    packer.value(value)?;
    Ok(packer.finish())
}

fn unpack<T: for<'de> Deserialize<'de>>(packed: Packed) -> Result<T, CodecError> {
    let arrived = packed.attachments.into_iter().map(Some).collect();
    let mut unpacker = unpacker(&packed.items, vec![]).with_attachments(arrived);
    let value = unpacker.value()?;
    unpacker.finish().map(|()| value)
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    open: Open,
    more: Vec<Option<Open>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Id(Id),
    Text(String),
    /// Takes the first handle and then finds that it is not what it seemed.
    Pair(Open, u8),
    Open(Open, Open),
    Record(Record),
}

#[derive(Debug, Serialize, Deserialize)]
struct Id(u64);

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Record(Record),
    Other,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    record: Record,
    #[serde(flatten)]
    rest: BTreeMap<String, Open>,
}

fn record() -> Record {
    Record { name: "x".into(), open: some(), more: vec![None, Some(some()), None] }
}

#[test]
fn a_handle_travels_wherever_it_stands() {
    assert!(unpack::<Open>(pack(&some()).unwrap()).is_ok());
    let Record { name, more, .. } = unpack(pack(&record()).unwrap()).unwrap();
    assert_eq!((name.as_str(), more.len()), ("x", 3));
    assert!(more[1].is_some() && more[2].is_none());
    let twenty: Vec<Open> = std::iter::repeat_with(some).take(20).collect();
    assert_eq!(unpack::<Vec<Open>>(pack(&twenty).unwrap()).unwrap().len(), 20);
    assert!(unpack::<Option<Open>>(pack(&Some(some())).unwrap()).unwrap().is_some());
}

/// Serde reads these into a buffer first, and untagged ones several times.
#[test]
fn a_handle_travels_through_buffers_of_serde() {
    let two = pack(&Untagged::Open(some(), some())).unwrap();
    assert!(matches!(unpack(two).unwrap(), Untagged::Open(..)));
    let untagged = pack(&Untagged::Record(record())).unwrap();
    assert!(matches!(unpack(untagged).unwrap(), Untagged::Record(Record { open: Open(_), .. })));
    assert!(matches!(unpack(pack(&Internal::Record(record())).unwrap()).unwrap(), Internal::Record(_)));
    let rest = [("a".to_owned(), some()), ("b".to_owned(), some())].into();
    let flattened: Flattened = unpack(pack(&Flattened { record: record(), rest }).unwrap()).unwrap();
    assert_eq!(flattened.rest.len(), 2);
}

/// Not even a type that would take any number, or any bytes.
#[test]
fn nothing_else_is_read_from_a_handle() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Anything {
        Number(#[allow(dead_code)] u64),
        Id(#[allow(dead_code)] Id),
        Text(#[allow(dead_code)] String),
        Bytes(#[allow(dead_code)] Vec<u8>),
        List(#[allow(dead_code)] Vec<Anything>),
    }
    unpack::<Anything>(pack(&some()).unwrap()).unwrap_err();
    unpack::<u64>(pack(&some()).unwrap()).unwrap_err();
    unpack::<Id>(pack(&some()).unwrap()).unwrap_err();
    unpack::<Open>(pack(&1).unwrap()).unwrap_err();
    unpack::<Vec<Open>>(pack(&vec![1.5; 20]).unwrap()).unwrap_err();
    unpack::<Untagged>(pack(&serde_bytes::ByteBuf::from(b"\xffspawnsafe handle\x01\0\0\0\0\0\0\0".to_vec())).unwrap())
        .unwrap_err();
}

#[test]
fn other_formats_say_that_it_cannot_travel_with_them() {
    let error = ciborium::into_writer(&record(), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("only spawnsafe passes it"), "{error}");
    let error = ciborium::from_reader::<Open, _>(&[0x07][..]).unwrap_err();
    assert!(error.to_string().contains("an open handle was to be read, which only spawnsafe passes"), "{error}");
    // Within one of ours as well.
    struct Nested;
    impl Serialize for Nested {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut bytes = Vec::new();
            ciborium::into_writer(&some(), &mut bytes).map_err(serde::ser::Error::custom)?;
            to.serialize_bytes(&bytes)
        }
    }
    assert!(pack(&Nested).is_err());
}

#[test]
fn items_alone_cannot_carry_one() {
    let error = packer().items_only().value(&some()).unwrap_err();
    assert!(error.to_string().contains("pass the handle as an argument"), "{error}");
}

#[test]
fn a_frame_has_a_limit_of_them() {
    let one = some();
    let copies = |count: usize| -> Vec<Open> { (0..count).map(|_| Open(Arc::clone(&one.0))).collect() };
    assert_eq!(pack(&copies(MAX_ATTACHMENTS)).unwrap().attachments.len(), MAX_ATTACHMENTS);
    let error = pack(&copies(MAX_ATTACHMENTS + 1)).unwrap_err();
    assert!(error.to_string().contains("more than 4048 open handles"), "{error}");
}

/// Handles that are watched; `None` where they cannot travel.
fn watched(count: usize) -> Option<(Vec<Open>, Vec<Canary>)> {
    let pairs: std::io::Result<Vec<_>> = (0..count).map(|_| sys::canary()).collect();
    Some(pairs.ok()?.into_iter().map(|(handle, canary)| (Open(Arc::new(handle)), canary)).unzip())
}

/// Sends all of it, and gives what has arrived.
fn send(mut outbox: Outbox, ours: &Stream, mut theirs: &Stream) -> Frame {
    let mut inbox = Inbox::default();
    loop {
        let sent = outbox.pump(|pieces, handles| ours.write(pieces, handles)).unwrap();
        match inbox.pump(&mut theirs, usize::MAX).unwrap() {
            Progress::Complete(frame) => {
                assert!(sent);
                return frame;
            }
            Progress::Pending | Progress::More => {}
            Progress::Closed { .. } => panic!("both ends are open"),
        }
    }
}

fn value_of<T: for<'de> Deserialize<'de>>(frame: Frame) -> Result<T, CodecError> {
    let mut unpacker = unpacker(&frame.items, frame.blobs).with_attachments(frame.attachments);
    let value = unpacker.value()?;
    unpacker.finish().map(|()| value)
}

#[test]
fn any_number_of_handles_arrives_in_order_and_is_closed_by_its_sender() {
    let Ok((ours, theirs)) = sys::both_ends() else { return };
    for count in [0, 1, 2, 252, 253, 254, 300] {
        let Some((mut handles, canaries)) = watched(count.min(40)) else { return };
        // Many of one, so that the limit of open files is not reached.
        let one = Arc::clone(&handles.first().map_or_else(some, |first| Open(Arc::clone(&first.0))).0);
        handles.resize_with(count, || Open(Arc::clone(&one)));
        let outbox = Outbox::new(Kind::Value, b"", pack(&handles).unwrap());
        drop((handles, one));
        let mut arrived: Vec<Open> = value_of(send(outbox, &ours, &theirs)).unwrap();
        assert_eq!(arrived.len(), count);
        arrived.truncate(canaries.len());
        for canary in canaries.iter().rev() {
            assert!(canary.is_open());
            drop(arrived.pop());
            // Of the first there are further copies, which are gone.
            assert!(canary.is_closed());
        }
        // What follows is in step.
        let frame = send(Outbox::new(Kind::Value, b"", pack(&7).unwrap()), &ours, &theirs);
        assert_eq!((value_of::<u8>(frame).unwrap(), ours.read_some()), (7, None));
    }
}

trait ReadSome {
    fn read_some(&self) -> Option<usize>;
}

impl ReadSome for Stream {
    /// `None` if there is nothing.
    fn read_some(&self) -> Option<usize> {
        (&mut &*self).read(&mut [0; 16]).ok()
    }
}

#[test]
fn handles_of_a_frame_that_is_not_sent_are_closed() {
    let Some((handles, canaries)) = watched(3) else { return };
    let outbox = Outbox::new(Kind::Value, b"", pack(&handles).unwrap());
    drop(handles);
    assert!(canaries.iter().all(Canary::is_open));
    drop(outbox);
    assert!(canaries.iter().all(Canary::is_closed));
}

#[test]
fn handles_that_no_value_claims_are_closed() {
    let (Ok((ours, theirs)), Some((handles, canaries))) = (sys::both_ends(), watched(3)) else { return };
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Fewer {
        b: Open,
    }
    let value: BTreeMap<&str, &Open> = ["a", "b", "c"].into_iter().zip(&handles).collect();
    let outbox = Outbox::new(Kind::Value, b"", pack(&value).unwrap());
    drop(value);
    drop(handles);
    let frame = send(outbox, &ours, &theirs);
    assert!(canaries.iter().all(Canary::is_open));
    let mut unpacker = unpacker(&frame.items, frame.blobs).with_attachments(frame.attachments);
    let fewer: Fewer = unpacker.value().unwrap();
    // While the unpacker is still there: an entry runs in the meantime.
    unpacker.finish().unwrap();
    assert!(canaries[0].is_closed() && canaries[1].is_open() && canaries[2].is_closed());
    drop(fewer);
    assert!(canaries[1].is_closed());
}

#[test]
fn another_number_of_handles_than_announced_is_an_error() {
    let Ok((ours, _theirs)) = sys::both_ends() else { return };
    drop(ours);
    for (announced, sent) in [(0, 1), (1, 0), (2, 1), (1, 2), (253, 254)] {
        let (Ok((ours, theirs)), Some((handles, canaries))) = (sys::both_ends(), watched(1)) else { return };
        let one = Arc::clone(&handles[0].0);
        let mut header = header(announced, 1);
        let mut left = vec![&*one; sent];
        while left.len() > ATTACHMENTS_AT_ONCE {
            let rest = left.split_off(ATTACHMENTS_AT_ONCE);
            ours.write(&[std::io::IoSlice::new(&header[..1])], &left).unwrap();
            header.remove(0);
            left = rest;
        }
        ours.write(&[std::io::IoSlice::new(&header)], &left).unwrap();
        let error = Inbox::default().pump(&mut &theirs, usize::MAX).unwrap_err().to_string();
        assert_eq!(error, format!("the frame claims to have {announced} open handles with it, and has {sent}"));
        drop((handles, one));
        assert!(canaries[0].is_closed());
    }
}

/// A header for so many handles, and items of so many bytes.
fn header(handles: u16, len: u64) -> Vec<u8> {
    let packed = Packed { items: vec![0; len as usize], ..Packed::default() };
    let mut bytes = Vec::new();
    let written = Outbox::new(Kind::Value, b"", packed).pump(|pieces, _| {
        bytes.extend_from_slice(&pieces[0]);
        Ok(pieces[0].len())
    });
    assert!(written.unwrap());
    bytes[14..16].copy_from_slice(&handles.to_le_bytes());
    bytes
}

#[test]
fn a_handle_that_was_lost_is_an_error_of_its_value() {
    let packed = pack(&(some(), some())).unwrap();
    let mut arrived: Vec<_> = packed.attachments.into_iter().map(Some).collect();
    arrived[1] = None;
    let mut unpacker = unpacker(&packed.items, vec![]).with_attachments(arrived);
    let error = unpacker.value::<(Open, Open)>().unwrap_err();
    assert!(error.to_string().contains("ulimit -n"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever arrives, also with handles at any byte: a frame or an error, and nothing is left open.
    #[test]
    fn damaged_frames_with_handles_leave_nothing_open(
        count in 0_usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3), 0..4),
        keep in any::<prop::sample::Index>(),
    ) {
        if sys::SENT_IS_THERE {
            return Ok(());
        }
        let (Ok((ours, theirs)), Some((handles, canaries))) = (sys::both_ends(), watched(4)) else { return Ok(()) };
        let mut bytes = header(count as u16, 0);
        let value = pack(&Record { name: "n".into(), open: Open(Arc::clone(&handles[0].0)), more: vec![] }).unwrap();
        bytes[8] = value.items.len() as u8;
        bytes.extend_from_slice(&value.items);
        drop(value);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        // The first of them with the first byte, as it should be, and others elsewhere.
        let mut parts: Vec<(usize, usize)> = cuts.into_iter().map(|(at, n)| (at.index(bytes.len()), n)).collect();
        parts.push((0, count));
        parts.sort_unstable();
        let mut ends: Vec<usize> = parts.iter().skip(1).map(|part| part.0).collect();
        ends.push(bytes.len());
        for ((start, handles_here), end) in parts.into_iter().zip(ends) {
            if start < end {
                let some: Vec<&OwnedHandle> = handles.iter().take(handles_here).map(|open| &*open.0).collect();
                ours.write(&[std::io::IoSlice::new(&bytes[start..end])], &some).unwrap();
            }
        }
        drop(ours);
        drop(handles);
        let mut inbox = Inbox::default();
        loop {
            match inbox.pump(&mut &theirs, 7) {
                Ok(Progress::Complete(frame)) => drop(value_of::<Record>(frame)),
                Ok(Progress::More) => {}
                Ok(Progress::Pending | Progress::Closed { .. }) | Err(_) => break,
            }
        }
        drop((inbox, theirs));
        prop_assert!(canaries.iter().all(Canary::is_closed));
    }
}

#[test]
fn all_handles_travel_with_the_header() {
    assert_eq!(MAX_ATTACHMENTS, ATTACHMENTS_AT_ONCE * HEADER_LEN);
}
