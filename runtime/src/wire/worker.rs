//! What travels between a pool and its workers, besides calls and values.
//!
//! ```text
//! Worker   a call's head (of the initializer, or without a name), the confinement, the inherited statics, the arguments
//! Tasks    8 bytes  number of the first task
//!          4 bytes  how many
//!          the inherited statics that have changed
//!          for each task:
//!              4 bytes  number of the entry in the worker's list of them
//!              if it is the next number: the entry's index, line and column, 4 bytes each, and its name
//!              2 bytes  how many of the frame's blobs are its own
//!              8 bytes  length of its arguments, and the arguments
//! Answer   8 bytes number of the task, 1 byte: 0 for a value and 1 for an error, and that
//! Bell     nothing: there are answers in the memory that both share
//! ```
//! Tasks are numbered from 0 in the order in which a worker is given them. Numbers are little-endian.

use super::bytes::{Fields, put_sized};

/// What a worker may use; all zero is everything.
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

/// One task in a frame of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskHead<'a> {
    /// The number of its entry, and what that is if the worker does not know it yet.
    pub(crate) entry: u32,
    pub(crate) new: Option<EntryHead<'a>>,
    pub(crate) blobs: u16,
}

impl<'a> TaskHead<'a> {
    pub(crate) fn encode(&self, arguments: &[u8], to: &mut Vec<u8>) {
        to.extend_from_slice(&self.entry.to_le_bytes());
        if let Some(EntryHead { index, position, name }) = self.new {
            [index, position.0, position.1].iter().for_each(|number| to.extend_from_slice(&number.to_le_bytes()));
            put_sized(to, name.as_bytes());
        }
        to.extend_from_slice(&self.blobs.to_le_bytes());
        put_sized(to, arguments);
    }

    /// The task, its arguments, and what follows it. `known` is how many entries the worker knows.
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
        let blobs = fields.array().map(u16::from_le_bytes)?;
        let arguments = fields.sized()?;
        (entry <= known).then_some((Self { entry, new, blobs }, arguments, fields.0))
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
        let (first, second) =
            (TaskHead { entry: 1, new: Some(new), blobs: 2 }, TaskHead { entry: 0, new: None, blobs: 0 });
        let mut bytes = Vec::new();
        first.encode(b"xyz", &mut bytes);
        let len = bytes.len();
        second.encode(b"", &mut bytes);
        let (task, arguments, rest) = TaskHead::decode(&bytes, 1).unwrap();
        assert_eq!((task, arguments), (first, &b"xyz"[..]));
        assert_eq!(TaskHead::decode(rest, 2), Some((second, &[][..], &[][..])));
        assert!((0..len).all(|len| TaskHead::decode(&bytes[..len], 1).is_none()));
        assert!(TaskHead::decode(&bytes, 0).is_none());

        let answer = AnswerHead { task: 9, failed: true };
        assert_eq!(AnswerHead::decode(&answer.encode()), Some((answer, &[][..])));
        assert_eq!(AnswerHead::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 2]), None);
        let tasks = TasksHead { first: 3, count: 4 };
        assert_eq!(TasksHead::decode(&tasks.encode()), Some((tasks, &[][..])));
    }
}
