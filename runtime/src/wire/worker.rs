//! What travels between a pool and its workers, besides calls and values.
//!
//! ```text
//! Worker   a call's head (of the initializer, or without a name), the confinement, the inherited statics, the arguments
//! Tasks    8 bytes  number of the first task
//!          4 bytes  how many
//!          the inherited statics that have changed
//!          runs of tasks of one entry:
//!              4 bytes  number of the entry in the worker's list of them
//!              if it is the next number: the entry's index, line and column, 4 bytes each, and its name
//!              4 bytes  how many tasks
//!              2 bytes  how many of the frame's blobs are the first one's own
//!              8 bytes  length of the records; for each task:
//!                  length of its arguments, 7 bits in each byte, the least first, and the arguments
//! Answer   8 bytes number of the task, 1 byte: 0 for a value and 1 for an error, and that
//! Bell     nothing: there are answers in the memory that both share
//! Event    8 bytes number of the task that runs, or `u64::MAX` for none, and the event
//! ```
//! Tasks are numbered from 0 in the order in which a worker is given them. Numbers are little-endian.

use super::bytes::{Fields, put_sized};

/// What a worker may use, where all zero is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkerHead {
    pub(crate) memory: Option<u64>,
    pub(crate) niceness: Option<i32>,
    pub(crate) processors: Vec<u32>,
}

impl WorkerHead {
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.memory.unwrap_or(u64::MAX).to_le_bytes());
        to.extend_from_slice(&self.niceness.unwrap_or(i32::MAX).to_le_bytes());
        to.extend_from_slice(&(self.processors.len() as u32).to_le_bytes());
        self.processors.iter().for_each(|processor| to.extend_from_slice(&processor.to_le_bytes()));
    }

    /// The head, and what follows it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        let memory = fields.array().map(u64::from_le_bytes)?;
        let niceness = fields.array().map(i32::from_le_bytes)?;
        let mut processors = Vec::new();
        for _ in 0..fields.u32()? {
            processors.push(fields.u32()?);
        }
        let head = Self {
            memory: (memory != u64::MAX).then_some(memory),
            niceness: (niceness != i32::MAX).then_some(niceness),
            processors,
        };
        Some((head, fields.0))
    }
}

/// The start of a frame of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TasksHead {
    pub(crate) first: u64,
    pub(crate) count: u32,
}

impl TasksHead {
    pub(crate) fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.first.to_le_bytes());
        bytes[8..].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }

    /// The head, and what follows it: the inherited statics.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        let head = Self { first: fields.array().map(u64::from_le_bytes)?, count: fields.u32()? };
        Some((head, fields.0))
    }
}

/// An entry, the first time that a worker is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryHead<'a> {
    pub(crate) index: u32,
    pub(crate) position: (u32, u32),
    pub(crate) name: &'a str,
}

/// Only what a message of a limited size carries is measured.
#[cfg(feature = "engines")]
impl EntryHead<'_> {
    /// How much room it takes besides the name.
    pub(crate) const LEN: usize = 4 + 4 + 4 + 8;
}

/// Tasks of one entry, one after another, in a frame of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunHead<'a> {
    /// The number of their entry, and what that is if the worker does not know it yet.
    pub(crate) entry: u32,
    pub(crate) new: Option<EntryHead<'a>>,
    pub(crate) count: u32,
    pub(crate) blobs: u16,
}

impl<'a> RunHead<'a> {
    /// How much room it takes besides the records, if its entry is known.
    pub(crate) const LEN: usize = 4 + 4 + 2 + 8;

    pub(crate) fn encode(&self, records: &[u8], to: &mut Vec<u8>) {
        to.extend_from_slice(&self.entry.to_le_bytes());
        if let Some(EntryHead { index, position, name }) = self.new {
            [index, position.0, position.1].iter().for_each(|number| to.extend_from_slice(&number.to_le_bytes()));
            put_sized(to, name.as_bytes());
        }
        to.extend_from_slice(&self.count.to_le_bytes());
        to.extend_from_slice(&self.blobs.to_le_bytes());
        put_sized(to, records);
    }

    /// The head, the records, and what follows them. `known` is how many entries the worker knows.
    pub(crate) fn decode(bytes: &'a [u8], known: u32) -> Option<(Self, &'a [u8], &'a [u8])> {
        let mut fields = Fields(bytes);
        let entry = fields.u32()?;
        let new = match entry == known {
            false => None,
            true => Some(EntryHead {
                index: fields.u32()?,
                position: (fields.u32()?, fields.u32()?),
                name: std::str::from_utf8(fields.sized()?).ok()?,
            }),
        };
        let count = fields.u32()?;
        let blobs = fields.array().map(u16::from_le_bytes)?;
        let records = fields.sized()?;
        (entry <= known).then_some((Self { entry, new, count, blobs }, records, fields.0))
    }
}

/// The arguments of one task, with their length before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskRecord<'a>(pub(crate) &'a [u8]);

impl<'a> TaskRecord<'a> {
    #[inline]
    pub(crate) fn encode(self, to: &mut Vec<u8>) {
        let mut len = self.0.len();
        while len >= 0x80 {
            to.push(len as u8 | 0x80);
            len >>= 7;
        }
        to.push(len as u8);
        to.extend_from_slice(self.0);
    }

    /// The record, and what follows it.
    #[inline]
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (mut len, mut shift, mut rest) = (0_u64, 0, bytes);
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            len |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let (arguments, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        Some((Self(arguments), rest))
    }
}

/// The start of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerHead {
    pub(crate) task: u64,
    pub(crate) failed: bool,
}

impl AnswerHead {
    pub(crate) const LEN: usize = 9;

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.task.to_le_bytes());
        bytes[8] = u8::from(self.failed);
        bytes
    }

    /// The head, and what follows it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        let task = fields.array().map(u64::from_le_bytes)?;
        let [failed] = fields.array::<1>()?;
        (failed < 2).then_some((Self { task, failed: failed == 1 }, fields.0))
    }
}

/// The start of an event: the task that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct EventHead(pub(crate) Option<u64>);

#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
impl EventHead {
    pub(crate) fn encode(self) -> [u8; 8] {
        self.0.unwrap_or(u64::MAX).to_le_bytes()
    }

    /// The head, and what follows it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        let task = fields.array().map(u64::from_le_bytes)?;
        Some((Self((task != u64::MAX).then_some(task)), fields.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_and_damaged_ones_are_none() {
        let worker = WorkerHead { memory: Some(1 << 30), niceness: Some(-3), processors: vec![1, 2] };
        let mut bytes = Vec::new();
        worker.encode(&mut bytes);
        assert_eq!(WorkerHead::decode(&bytes), Some((worker, &[][..])));
        assert!((0..bytes.len()).all(|len| WorkerHead::decode(&bytes[..len]).is_none()));

        let new = EntryHead { index: 5, position: (6, 7), name: "a::b" };
        let (first, second) = (
            RunHead { entry: 1, new: Some(new), count: 1, blobs: 2 },
            RunHead { entry: 0, new: None, count: 9, blobs: 0 },
        );
        let mut bytes = Vec::new();
        first.encode(b"xyz", &mut bytes);
        let len = bytes.len();
        second.encode(b"", &mut bytes);
        assert_eq!(bytes.len(), len + RunHead::LEN);
        let (run, records, rest) = RunHead::decode(&bytes, 1).unwrap();
        assert_eq!((run, records), (first, &b"xyz"[..]));
        assert_eq!(RunHead::decode(rest, 2), Some((second, &[][..], &[][..])));
        assert!((0..len).all(|len| RunHead::decode(&bytes[..len], 1).is_none()));
        assert!(RunHead::decode(&bytes, 0).is_none());

        let answer = AnswerHead { task: 9, failed: true };
        assert_eq!(AnswerHead::decode(&answer.encode()), Some((answer, &[][..])));
        assert_eq!(AnswerHead::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 2]), None);
        for event in [EventHead(Some(5)), EventHead(None)] {
            assert_eq!(EventHead::decode(&event.encode()), Some((event, &[][..])));
        }
        assert_eq!(EventHead::decode(&[0; 7]), None);
        let tasks = TasksHead { first: 3, count: 4 };
        assert_eq!(TasksHead::decode(&tasks.encode()), Some((tasks, &[][..])));
    }

    #[test]
    fn records_of_each_length_survive_and_damaged_ones_are_none() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let arguments = vec![7; len];
            let mut bytes = Vec::new();
            TaskRecord(&arguments).encode(&mut bytes);
            let short = bytes.len() - 1;
            bytes.push(9);
            assert_eq!(TaskRecord::decode(&bytes), Some((TaskRecord(&arguments), &[9][..])));
            assert!(len == 0 || TaskRecord::decode(&bytes[..short]).is_none());
        }
        assert_eq!(TaskRecord::decode(&[]), None);
        // A length that no machine has, and one that has no end.
        assert_eq!(TaskRecord::decode(&[[0xff; 9].as_slice(), &[0x01]].concat()), None);
        assert_eq!(TaskRecord::decode(&[0x80; 40]), None);
    }
}
