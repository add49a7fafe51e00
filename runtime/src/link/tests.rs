//! Frames whose bytes are written down here: every system, whatever its word size and byte order, reads and writes these.

use super::{Frame, Inbox, Outbox, Progress, packer, unpacker};
use crate::wire::{CallHead, Kind};

/// The values of the golden call.
type Values = (u8, i16, u32, i64, u128, f32, f64, char, String, Vec<u16>, Option<Option<()>>);

fn values() -> Values {
    let text = "ä€".to_owned();
    (200, -300, 70_000, -5_000_000_000, 1 << 100, 1.5, -0.1, '𝄞', text, vec![1, 1000], Some(None))
}

fn head() -> CallHead<'static> {
    CallHead {
        build: 0x0102_0304_0506_0708,
        index: 9,
        position: (10, 11),
        name: "a::b",
        process_name: "p",
        current_dir: b"/d",
        events: 3,
    }
}

/// What one process sends to another for `head()` and `values()`, and a byte string of 64 KiB, which travels behind.
fn golden() -> Vec<u8> {
    let mut bytes = Vec::new();
    // The header: kind 1 is a call; one blob; 125 bytes of head and items.
    bytes.extend(*b"spw\x01\x01\0\x01\0");
    bytes.extend([125, 0, 0, 0, 0, 0, 0, 0]);
    // The head of the call.
    bytes.extend([8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0]);
    bytes.extend(*b"\x04\0\0\0\0\0\0\0a::b\x01\0\0\0\0\0\0\0p\x02\0\0\0\0\0\0\0/d\x03");
    // The values, in CBOR: a list of eleven.
    bytes.extend([0x8B, 0x18, 200, 0x39, 0x01, 0x2B, 0x1A, 0x00, 0x01, 0x11, 0x70]);
    bytes.extend([0x3B, 0x00, 0x00, 0x00, 0x01, 0x2A, 0x05, 0xF1, 0xFF]);
    bytes.extend([0xC2, 0x4D, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0xFA, 0x3F, 0xC0, 0x00, 0x00, 0xFB, 0xBF, 0xB9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A]);
    bytes.extend(*b"\x64\xF0\x9D\x84\x9E\x65\xC3\xA4\xE2\x82\xAC");
    bytes.extend([0x82, 0x01, 0x19, 0x03, 0xE8, 0xD9, 0x53, 0x50, 0xF6]);
    // The number of the blob, and the blob.
    bytes.extend([0xD9, 0x53, 0x51, 0x00]);
    bytes.extend([0, 0, 1, 0, 0, 0, 0, 0]);
    bytes.extend([7; 1 << 16]);
    bytes
}

#[test]
fn golden_frames_are_read() {
    let bytes = golden();
    let Ok(Progress::Complete(Frame { kind, items, blobs, .. })) = Inbox::default().pump(&mut &bytes[..], usize::MAX)
    else {
        panic!("it is a frame")
    };
    assert_eq!(kind, Kind::Call);
    let (read, rest) = CallHead::decode(&items).unwrap();
    assert_eq!(read, head());
    let mut unpacker = unpacker(rest, blobs);
    assert_eq!(unpacker.value::<Values>().unwrap(), values());
    assert_eq!(unpacker.value::<serde_bytes::ByteBuf>().unwrap(), vec![7; 1 << 16]);
    unpacker.finish().unwrap();
}

#[test]
fn golden_frames_are_written() {
    let mut packer = packer();
    packer.value(&values()).unwrap();
    packer.value(&serde_bytes::ByteBuf::from(vec![7; 1 << 16])).unwrap();
    let mut outbox = Outbox::new(Kind::Call, &head().encode(), packer.finish());
    let mut bytes = Vec::new();
    let all_written = outbox.pump(|pieces, _| {
        bytes.extend_from_slice(&pieces[0]);
        Ok(pieces[0].len())
    });
    assert!(all_written.unwrap());
    let golden = golden();
    let first_difference = bytes.iter().zip(&golden).position(|(a, b)| a != b);
    assert_eq!((first_difference, bytes.len()), (None, golden.len()), "{:02x?}", &bytes[..160]);
}

/// A list of numbers is written in the byte order of its machine, and read in either.
#[test]
fn golden_lists_of_numbers_of_both_byte_orders_are_read() {
    let numbers: Vec<u16> = (0x0100..0x0110).collect();
    let (first_byte_first, last_byte_first) = ([0xD8, 65, 0x58, 32], [0xD8, 69, 0x58, 32]);
    let mut items = first_byte_first.to_vec();
    items.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    items.extend(last_byte_first);
    items.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    let mut unpacker = unpacker(&items, vec![]);
    for _ in 0..2 {
        assert_eq!(unpacker.value::<Vec<u16>>().unwrap(), numbers);
    }
    unpacker.finish().unwrap();
}
