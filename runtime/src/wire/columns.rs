//! Records of tasks on their way through something narrow: what they have in common travels once.
//!
//! What passes frames on may take a kilobyte at a time, so that short records cost by their bytes. And where they are short
//! they are alike: calls for one number after another, results that are `()` or `true`. So records of one length that follow
//! each other are written by columns: each byte of theirs, in all of them, and only by how it changes. A counter that is
//! stored with its highest byte first is a column that goes up by one and others that hardly change. What does not get
//! shorter so goes as it is.
//!
//! ```text
//! pieces, each of them
//!     plain     twice its length; its bytes
//!     columns   twice the number of records, and one; 1 byte length of each; for each of its bytes
//!         1 byte 0, and that of each record
//!         1 byte 1, that of the first, and until there are enough: 1 byte by how much the following ones grow, and how many
//! ```
//! Lengths and numbers have 7 bits in each byte, the least first.

use std::borrow::Cow;

use super::bytes::{Fields, put_number};
use super::worker::TaskRecord;

/// Fewer records than that, and longer ones, go as they are.
const ROWS: usize = 16;
const WIDTH: usize = 64;

/// How many bytes of columns there may be in all: their length says nothing of how long they have been.
const MOST: usize = 1 << 20;

const RAW: u8 = 0;
const STEPS: u8 = 1;

/// Appends records, as [`TaskRecord`] encodes them.
pub(super) fn pack(records: &[u8], to: &mut Vec<u8>) {
    // Before `plain` all is written, from `at` on nothing was looked at.
    let (mut plain, mut at, mut left) = (0, 0, MOST);
    let mut columns = Vec::new();
    while let Some((width, rows)) = alike(&records[at..]) {
        // As many as there may still be in columns, or else as they are.
        let rows = if left / width >= ROWS { rows.min(left / width) } else { rows };
        let block = &records[at..at + width * rows];
        at += block.len();
        if rows < ROWS || width > WIDTH || block.len() > left {
            continue;
        }
        columns.clear();
        (1..width).for_each(|column| put_column(block, width, column, &mut columns));
        if columns.len() > block.len() / 4 * 3 {
            continue;
        }
        put_plain(&records[plain..at - block.len()], to);
        put_number(to, (rows as u64) << 1 | 1);
        to.push(block[0]);
        to.extend_from_slice(&columns);
        (plain, left) = (at, left - block.len());
    }
    put_plain(&records[plain..], to);
}

/// How long the first record is, with its length, and how many of that length follow each other; `None` if there is none.
fn alike(records: &[u8]) -> Option<(usize, usize)> {
    let (_, rest) = TaskRecord::decode(records)?;
    let width = records.len() - rest.len();
    // The lengths of short ones have one byte.
    let rows = match width > WIDTH {
        true => 1,
        false => records.chunks_exact(width).take_while(|record| record[0] == records[0]).count(),
    };
    Some((width, rows))
}

fn put_plain(bytes: &[u8], to: &mut Vec<u8>) {
    if !bytes.is_empty() {
        put_number(to, (bytes.len() as u64) << 1);
        to.extend_from_slice(bytes);
    }
}

fn put_column(block: &[u8], width: usize, column: usize, to: &mut Vec<u8>) {
    let mut bytes = block.chunks_exact(width).map(|record| record[column]);
    let (start, most) = (to.len(), block.len() / width / 2);
    let Some(mut last) = bytes.next() else { return };
    to.extend([STEPS, last]);
    let (mut step, mut count) = (0, 0);
    for byte in bytes {
        let next = byte.wrapping_sub(last);
        last = byte;
        if next != step {
            put_steps(step, count, to);
            (step, count) = (next, 0);
        }
        count += 1;
        if to.len() - start > most {
            to.truncate(start);
            to.push(RAW);
            to.extend(block.chunks_exact(width).map(|record| record[column]));
            return;
        }
    }
    put_steps(step, count, to);
}

fn put_steps(step: u8, count: u64, to: &mut Vec<u8>) {
    if count > 0 {
        to.push(step);
        put_number(to, count);
    }
}

/// The records. `None` if this is not what [`pack`] has made.
pub(super) fn unpack(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut fields = Fields(bytes);
    let (mut records, mut left) = (Cow::Borrowed(&[][..]), MOST);
    while !fields.0.is_empty() {
        let head = fields.number()?;
        let len = usize::try_from(head >> 1).ok()?;
        if head & 1 == 0 {
            let plain = fields.take(len)?;
            match records.is_empty() {
                true => records = Cow::Borrowed(plain),
                false => records.to_mut().extend_from_slice(plain),
            }
        } else {
            let [first] = fields.array()?;
            let width = 1 + usize::from(first);
            let size = len.checked_mul(width).filter(|&size| size <= left && width <= WIDTH)?;
            left -= size;
            let records = records.to_mut();
            let start = records.len();
            records.resize(start + size, first);
            (1..width).try_for_each(|column| take_column(&mut fields, &mut records[start..], width, column))?;
        }
    }
    Some(records)
}

fn take_column(fields: &mut Fields<'_>, block: &mut [u8], width: usize, column: usize) -> Option<()> {
    let mut left = block.len() / width;
    let mut places = block.chunks_exact_mut(width).map(|record| &mut record[column]);
    match fields.array()? {
        [RAW] => places.zip(fields.take(left)?).for_each(|(place, byte)| *place = *byte),
        [STEPS] => {
            let [mut value] = fields.array()?;
            *places.next()? = value;
            left -= 1;
            while left > 0 {
                let [step] = fields.array()?;
                let count = usize::try_from(fields.number()?).ok().filter(|&count| (1..=left).contains(&count))?;
                for place in places.by_ref().take(count) {
                    value = value.wrapping_add(step);
                    *place = value;
                }
                left -= count;
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records<B: AsRef<[u8]>>(of: impl IntoIterator<Item = B>) -> Vec<u8> {
        let mut bytes = Vec::new();
        of.into_iter().for_each(|record| TaskRecord(record.as_ref()).encode(&mut bytes));
        bytes
    }

    #[track_caller]
    fn packed(records: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(records, &mut bytes);
        assert_eq!(unpack(&bytes).as_deref(), Some(records));
        assert!(bytes.len() <= records.len() + 10, "{} of {}", bytes.len(), records.len());
        bytes
    }

    #[test]
    fn what_is_alike_is_short() {
        assert!(packed(&records([[0xf6]; 4096])).len() < 10);
        assert!(packed(&records([[]; 4096] as [[u8; 0]; 4096])).len() < 10);
        let counted = records((100_000_u32..104_096).map(|x| [&[0x1a][..], &x.to_be_bytes()].concat()));
        assert!(packed(&counted).len() < counted.len() / 100);
        // With something else in between.
        let mixed = [counted.clone(), records([vec![7; 300]]), counted.clone(), records([[1, 2]])].concat();
        assert!(packed(&mixed).len() < 2 * counted.len() / 100 + 320);
        // More than there may be of columns.
        let many = records(std::iter::repeat_n([0; 50], 40_000));
        assert!(packed(&many).len() < many.len() / 2);
    }

    #[test]
    fn what_is_not_goes_as_it_is() {
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 11).to_be_bytes()
        };
        let random = records((0..1000).map(|_| random()));
        assert_eq!(packed(&random).len(), random.len() + 3);
        assert!(matches!(unpack(&packed(&random)), Some(Cow::Borrowed(_))));
        assert!(packed(&[]).is_empty());
        let few = records([[1, 2, 3]; ROWS - 1]);
        assert_eq!(packed(&few).len(), few.len() + 1);
    }

    #[test]
    fn damaged_ones_are_none() {
        let bytes = packed(&records((0..200_u32).map(u32::to_be_bytes)));
        assert!((1..bytes.len()).all(|len| unpack(&bytes[..len]).is_none()));
        // More records, or longer ones, than there may be.
        for damaged in [&[0xff, 0xff, 0xff, 0x7f, 0][..], &[3, 64], &[3, 1, 2], &[5, 1, STEPS, 0, 0, 0], &[0xff; 12]] {
            assert_eq!(unpack(damaged), None, "{damaged:?}");
        }
        let mut most = Vec::new();
        put_number(&mut most, (MOST as u64) << 1 | 1);
        most.push(0);
        assert_eq!(unpack(&most).map(|records| records.len()), Some(MOST));
        assert_eq!(unpack(&[&most[..], &most[..]].concat()), None, "they are limited together");
    }

    proptest! {
        #[test]
        fn any_records_survive(of in prop::collection::vec((prop::collection::vec(0_u8..3, 0..6), 1_usize..40), 0..20)) {
            let all = of.iter().flat_map(|(record, times)| std::iter::repeat_n(record, *times));
            packed(&records(all));
        }

        #[test]
        fn any_bytes_are_records_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
        }
    }
}
