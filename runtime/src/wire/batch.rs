//! What a batch keeps in its directory, besides calls and values.
//!
//! ```text
//! calls       a frame `Worker`: a `BatchHead`, and the inherited statics
//!             for each task a frame `Call`: a `StoredHead`, and its arguments
//!             for each task 8 bytes: where its frame begins, and 4: how often it may run again
//!             8 bytes number of tasks, and `CALLS_END`
//! submission  a frame `Tasks`: a `SubmissionHead`, and for each task 4 bytes number and 4 bytes attempt
//! answer      a frame `Value` or `Failure`: an `AnswerSource`, and the value or the error
//! ```
//! Numbers are little-endian. Files may come from anybody who may write there, and may be cut off.

use super::bytes::{Fields, put_sized};

/// The last bytes of a file of calls.
const CALLS_END: [u8; 8] = *b"spawn-\x01\n";

/// The length of what is at the end of a file of calls.
pub(crate) const CALLS_END_LEN: usize = 16;

/// The length of what the file of calls knows of each task besides.
pub(crate) const INDEX_LEN: usize = 12;

/// No limit of time.
const NONE: u64 = u64::MAX;

/// What all tasks of a batch have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchHead<'a> {
    /// Checked before anything else is believed.
    pub(crate) build: u64,
    /// Tells it from others.
    pub(crate) id: u64,
    /// The name of the type of the results.
    pub(crate) result: &'a str,
    /// What the arguments of the processes are to be.
    pub(crate) arguments: Vec<&'a [u8]>,
}

impl<'a> BatchHead<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = [self.build.to_le_bytes(), self.id.to_le_bytes()].concat();
        put_sized(&mut to, self.result.as_bytes());
        to.extend_from_slice(&(self.arguments.len() as u32).to_le_bytes());
        self.arguments.iter().for_each(|argument| put_sized(&mut to, argument));
        to
    }

    /// Which build has written it; all that another one writes may mean something else.
    pub(crate) fn build(bytes: &[u8]) -> Option<u64> {
        Fields(bytes).array().map(u64::from_le_bytes)
    }

    /// The head, and the section of inherited statics. `None` if the bytes are no head.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut fields = Fields(bytes);
        let (build, id) = (fields.array().map(u64::from_le_bytes)?, fields.array().map(u64::from_le_bytes)?);
        let result = std::str::from_utf8(fields.sized()?).ok()?;
        let mut arguments = Vec::new();
        for _ in 0..fields.u32()? {
            arguments.push(fields.sized()?);
        }
        Some((Self { build, id, result, arguments }, fields.0))
    }
}

/// Which entry a task is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredHead<'a> {
    /// The entry's position in the registry, a hint that spares a search.
    pub(crate) index: u32,
    pub(crate) position: (u32, u32),
    /// How long it may take, in nanoseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) name: &'a str,
}

impl<'a> StoredHead<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(28 + self.name.len());
        [self.index, self.position.0, self.position.1]
            .iter()
            .for_each(|part| to.extend_from_slice(&part.to_le_bytes()));
        to.extend_from_slice(&self.timeout.unwrap_or(NONE).to_le_bytes());
        put_sized(&mut to, self.name.as_bytes());
        to
    }

    /// The head, and the arguments. `None` if the bytes are no head.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut fields = Fields(bytes);
        let (index, position) = (fields.u32()?, (fields.u32()?, fields.u32()?));
        let timeout = fields.array().map(u64::from_le_bytes).map(|nanos| Some(nanos).filter(|&nanos| nanos != NONE))?;
        let name = std::str::from_utf8(fields.sized()?).ok()?;
        Some((Self { index, position, timeout, name }, fields.0))
    }
}

/// What is said of a task behind all calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// Where its frame begins.
    pub(crate) at: u64,
    /// How often it may run again if it was lost.
    pub(crate) retries: u32,
}

impl Indexed {
    pub(crate) fn encode(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.at.to_le_bytes());
        to.extend_from_slice(&self.retries.to_le_bytes());
    }

    pub(crate) fn decode(bytes: &[u8; INDEX_LEN]) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, retries @ ..] = *bytes;
        Self { at: u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]), retries: u32::from_le_bytes(retries) }
    }
}

/// What a file of so many calls ends with.
pub(crate) fn encode_calls_end(count: u32) -> [u8; CALLS_END_LEN] {
    let mut bytes = [0; CALLS_END_LEN];
    bytes[..8].copy_from_slice(&u64::from(count).to_le_bytes());
    bytes[8..].copy_from_slice(&CALLS_END);
    bytes
}

/// How many calls there are in a file of this length that ends with these bytes, and where the index begins.
pub(crate) fn decode_calls_end(len: u64, bytes: &[u8; CALLS_END_LEN]) -> Option<(u32, u64)> {
    let [c0, c1, c2, c3, c4, c5, c6, c7, end @ ..] = *bytes;
    let count =
        u32::try_from(u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7])).ok().filter(|_| end == CALLS_END)?;
    let index = len.checked_sub(CALLS_END_LEN as u64)?.checked_sub(u64::from(count) * INDEX_LEN as u64)?;
    Some((count, index))
}

/// What was submitted together, as one array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubmissionHead {
    pub(crate) batch: u64,
    /// How many elements the array has. Each takes every so manieth task.
    pub(crate) elements: u32,
    /// What the scheduler calls the first of them.
    pub(crate) first: u32,
    /// How long an element may be silent, in milliseconds.
    pub(crate) silence: u64,
}

/// The number of a task, and of the attempt.
pub(crate) type Assigned = (u32, u32);

impl SubmissionHead {
    pub(crate) fn encode(self, tasks: &[Assigned]) -> Vec<u8> {
        let mut to = self.batch.to_le_bytes().to_vec();
        to.extend_from_slice(&self.elements.to_le_bytes());
        to.extend_from_slice(&self.first.to_le_bytes());
        to.extend_from_slice(&self.silence.to_le_bytes());
        tasks.iter().for_each(|(task, attempt)| {
            to.extend_from_slice(&task.to_le_bytes());
            to.extend_from_slice(&attempt.to_le_bytes());
        });
        to
    }

    /// The head, and the tasks. `None` if the bytes are no submission.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, Vec<Assigned>)> {
        let mut fields = Fields(bytes);
        let head = Self {
            batch: fields.array().map(u64::from_le_bytes)?,
            elements: fields.u32().filter(|&elements| elements > 0)?,
            first: fields.u32()?,
            silence: fields.array().map(u64::from_le_bytes)?,
        };
        head.first.checked_add(head.elements)?;
        let mut tasks = Vec::with_capacity(fields.0.len() / 8);
        while !fields.0.is_empty() {
            tasks.push((fields.u32()?, fields.u32()?));
        }
        // None has nothing to do.
        (head.elements as usize <= tasks.len()).then_some((head, tasks))
    }
}

/// Whose answer it is, and where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerSource<'a> {
    pub(crate) batch: u64,
    pub(crate) task: u32,
    pub(crate) attempt: u32,
    /// Empty if it is not known.
    pub(crate) node: &'a str,
}

impl<'a> AnswerSource<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = self.batch.to_le_bytes().to_vec();
        to.extend_from_slice(&self.task.to_le_bytes());
        to.extend_from_slice(&self.attempt.to_le_bytes());
        put_sized(&mut to, self.node.as_bytes());
        to
    }

    /// The source, and the answer. `None` if the bytes are no answer.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut fields = Fields(bytes);
        let source = Self {
            batch: fields.array().map(u64::from_le_bytes)?,
            task: fields.u32()?,
            attempt: fields.u32()?,
            node: std::str::from_utf8(fields.sized()?).ok()?,
        };
        Some((source, fields.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_and_damaged_ones_are_none() {
        let head = BatchHead { build: 1, id: 2, result: "f64", arguments: vec![b"program", b""] };
        let mut bytes = head.encode();
        assert_eq!(BatchHead::build(&bytes), Some(1));
        assert!((0..bytes.len()).all(|len| BatchHead::decode(&bytes[..len]).is_none()));
        bytes.push(9);
        assert_eq!(BatchHead::decode(&bytes), Some((head, &[9][..])));

        for timeout in [None, Some(5)] {
            let head = StoredHead { index: 1, position: (2, 3), timeout, name: "a::b" };
            let mut bytes = head.encode();
            assert!((0..bytes.len()).all(|len| StoredHead::decode(&bytes[..len]).is_none()));
            bytes.push(9);
            assert_eq!(StoredHead::decode(&bytes), Some((head, &[9][..])));
        }

        let head = SubmissionHead { batch: 1, elements: 2, first: 1, silence: 4 };
        let bytes = head.encode(&[(7, 1), (8, 3)]);
        assert_eq!(SubmissionHead::decode(&bytes), Some((head, vec![(7, 1), (8, 3)])));
        assert!((0..bytes.len()).all(|len| SubmissionHead::decode(&bytes[..len]).is_none()));
        for (elements, first) in [(0, 1), (3, 1), (u32::MAX, 0), (1, u32::MAX)] {
            let bytes = SubmissionHead { elements, first, ..head }.encode(&[(7, 1), (8, 3)]);
            assert_eq!(SubmissionHead::decode(&bytes), None, "{elements} from {first}");
        }

        let source = AnswerSource { batch: 1, task: 2, attempt: 3, node: "n1" };
        let mut bytes = source.encode();
        assert!((0..bytes.len()).all(|len| AnswerSource::decode(&bytes[..len]).is_none()));
        bytes.push(9);
        assert_eq!(AnswerSource::decode(&bytes), Some((source, &[9][..])));
    }

    #[test]
    fn the_end_of_a_file_of_calls_is_believed_as_far_as_there_is_room_for_it() {
        let end = encode_calls_end(3);
        assert_eq!(decode_calls_end(100, &end), Some((3, 100 - 16 - 36)));
        assert_eq!(decode_calls_end(51, &end), None);
        assert_eq!(decode_calls_end(u64::MAX, &[0xff; 16]), None);
        for byte in 8..16 {
            let mut damaged = end;
            damaged[byte] ^= 1;
            assert_eq!(decode_calls_end(100, &damaged), None, "byte {byte}");
        }
        let mut bytes = Vec::new();
        let indexed = Indexed { at: 1 << 40, retries: 7 };
        indexed.encode(&mut bytes);
        assert_eq!(Indexed::decode(bytes.first_chunk().unwrap()), indexed);
    }
}
