//! What travels between a pool and the agent on a node, besides calls and values.
//!
//! ```text
//! MAGIC    from the agent, once, in front of its first frame: what came before was somebody else's, a login shell's say
//! Orders   to the agent, once: see `Orders`, and then as the frame of a worker: a call's head, the confinement, the
//!          inherited statics, the arguments of the initializer
//! Hello    from the agent, once, when it is ready: 4 bytes number of workers, 4 bytes process id, the node's name
//! Jobs     the inherited statics that have changed, and runs of tasks of one entry:
//!              8 bytes  number of the first task
//!              8 bytes  how long each may take, in nanoseconds; all ones for no limit
//!              then as in a worker's frame of tasks, but for the records, which are by columns: see `columns`
//! Answers  short values: how many runs of them there are; of each the number of the first task, and how many they are; and
//!          their records, all together, by columns
//! Long     one that is long, as from a worker
//! Lost     8 bytes number of a task whose worker has vanished, and the error
//! Stop     numbers of tasks that are to be stopped
//! Forget   numbers of tasks that need not begin; one that runs runs on
//! Yield    4 bytes: how many tasks that have not begun others could run
//! Yielded  of each run of them, the number of the first and how many they are, 8 bytes each
//! Leave    nothing: end when everything is done
//! Beat     nothing: whoever sends it is alive, and has heard what the other one has said
//! Event    as from a worker, with the number of the task that the pool knows
//! ```
//! Numbers are little-endian. Those of tasks are of the pool's choice.

use std::borrow::Cow;

use super::bytes::{Fields, put_number, put_sized};
use super::columns;
use super::worker::{EntryHead, RunHead};

/// In front of an agent's first frame. No text: nothing that greets people contains it.
pub(crate) const MAGIC: [u8; 16] = *b"\x01spawnsafe-agt\n\x02";

/// [`MAGIC`] after a terminal has made it fit for people.
pub(crate) const MAGIC_OF_A_TERMINAL: [u8; 17] = *b"\x01spawnsafe-agt\r\n\x02";

/// No limit of time, or of a number.
const NONE: u64 = u64::MAX;

/// How the pool of a node is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// Checked before anything else is believed.
    pub(crate) build: u64,
    /// How long the other side may be silent, in nanoseconds.
    pub(crate) silence: u64,
    /// 0 for as many as the node has room for.
    pub(crate) workers: u32,
    /// Times are in nanoseconds.
    pub(crate) initializer_timeout: u64,
    pub(crate) task_timeout: Option<u64>,
    pub(crate) max_tasks: Option<u64>,
    /// Workers are forked by a zygote.
    pub(crate) forks: bool,
    /// For standard output and standard error, whether what is written goes nowhere.
    pub(crate) silent: [bool; 2],
    pub(crate) clears_environment: bool,
    /// `None` removes the variable.
    pub(crate) environment: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// What the arguments of the workers are to be.
    pub(crate) arguments: Vec<Vec<u8>>,
}

impl Orders {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = self.build.to_le_bytes().to_vec();
        let numbers = [
            self.silence,
            u64::from(self.workers),
            self.initializer_timeout,
            self.task_timeout.unwrap_or(NONE),
            self.max_tasks.unwrap_or(NONE),
        ];
        numbers.iter().for_each(|number| to.extend_from_slice(&number.to_le_bytes()));
        to.extend([self.forks, self.silent[0], self.silent[1], self.clears_environment].map(u8::from));
        to.extend_from_slice(&(self.environment.len() as u32).to_le_bytes());
        for (key, value) in &self.environment {
            put_sized(&mut to, key);
            to.push(u8::from(value.is_some()));
            put_sized(&mut to, value.as_deref().unwrap_or_default());
        }
        to.extend_from_slice(&(self.arguments.len() as u32).to_le_bytes());
        self.arguments.iter().for_each(|argument| put_sized(&mut to, argument));
        to
    }

    /// Which build has sent them; all that another one sends may mean something else.
    pub(crate) fn build(bytes: &[u8]) -> Option<u64> {
        Fields(bytes).array().map(u64::from_le_bytes)
    }

    /// The orders, and what follows them.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        let mut number = || fields.array().map(u64::from_le_bytes);
        let (build, silence, workers) = (number()?, number()?, number()?);
        let (initializer_timeout, task_timeout, max_tasks) = (number()?, number()?, number()?);
        let [forks, out, err, clears_environment] = fields.array()?.map(|flag: u8| flag == 1);
        let mut environment = Vec::new();
        for _ in 0..fields.u32()? {
            let (key, [is_set], value) = (fields.sized()?, fields.array()?, fields.sized()?);
            environment.push((key.to_vec(), (is_set == 1).then(|| value.to_vec())));
        }
        let mut arguments = Vec::new();
        for _ in 0..fields.u32()? {
            arguments.push(fields.sized()?.to_vec());
        }
        let orders = Self {
            build,
            silence,
            workers: u32::try_from(workers).ok()?,
            initializer_timeout,
            task_timeout: Some(task_timeout).filter(|&nanos| nanos != NONE),
            max_tasks: Some(max_tasks).filter(|&tasks| tasks != NONE),
            forks,
            silent: [out, err],
            clears_environment,
            environment,
            arguments,
        };
        Some((orders, fields.0))
    }
}

/// What an agent says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello<'a> {
    pub(crate) workers: u32,
    pub(crate) process: u32,
    /// Empty if it does not know.
    pub(crate) node: &'a str,
}

impl<'a> Hello<'a> {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut to = [self.workers.to_le_bytes(), self.process.to_le_bytes()].concat();
        put_sized(&mut to, self.node.as_bytes());
        to
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            workers: fields.u32().filter(|&workers| workers > 0)?,
            process: fields.u32()?,
            node: std::str::from_utf8(fields.sized()?).ok()?,
        })
    }
}

/// A run, its records, and what follows it.
type Decoded<'a> = (NodeRun<'a>, Cow<'a, [u8]>, &'a [u8]);

/// Tasks of one entry on their way to a node, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeRun<'a> {
    /// Of the first task.
    pub(crate) number: u64,
    /// How long each may take, in nanoseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) run: RunHead<'a>,
}

impl<'a> NodeRun<'a> {
    /// How much room one takes at most besides its records and the name of its entry: columns are shorter than what they
    /// are made of, but for the length of what is in none.
    pub(crate) const ROOM: usize = 8 + 8 + EntryHead::LEN + RunHead::LEN + 10;

    pub(crate) fn encode(&self, records: &[u8], to: &mut Vec<u8>) {
        to.extend_from_slice(&self.number.to_le_bytes());
        to.extend_from_slice(&self.timeout.unwrap_or(NONE).to_le_bytes());
        let mut packed = Vec::new();
        columns::pack(records, &mut packed);
        self.run.encode(&packed, to);
    }

    /// The run, its records, and what follows it. `known` is how many entries the agent knows.
    pub(crate) fn decode(bytes: &'a [u8], known: u32) -> Option<Decoded<'a>> {
        let mut fields = Fields(bytes);
        let number = fields.array().map(u64::from_le_bytes)?;
        let timeout = fields.array().map(u64::from_le_bytes).map(|nanos| Some(nanos).filter(|&nanos| nanos != NONE))?;
        let (run, records, rest) = RunHead::decode(fields.0, known)?;
        Some((Self { number, timeout, run }, columns::unpack(records)?, rest))
    }
}

/// Values of tasks that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValuesHead {
    /// The number of the first task.
    pub(crate) first: u64,
    pub(crate) count: u64,
}

/// Runs of values, and all their records: few bytes for each, as what passes them on takes few at a time.
pub(crate) fn encode_values(heads: &[ValuesHead], records: &[u8]) -> Vec<u8> {
    let mut to = Vec::new();
    put_number(&mut to, heads.len() as u64);
    for head in heads {
        put_number(&mut to, head.first);
        put_number(&mut to, head.count);
    }
    columns::pack(records, &mut to);
    to
}

pub(crate) fn decode_values(bytes: &[u8]) -> Option<(Vec<ValuesHead>, Cow<'_, [u8]>)> {
    let mut fields = Fields(bytes);
    let mut heads = Vec::new();
    for _ in 0..fields.number()? {
        heads.push(ValuesHead { first: fields.number()?, count: fields.number()? });
    }
    Some((heads, columns::unpack(fields.0)?))
}

/// The number of a task that was lost, and the packed error.
pub(crate) fn decode_lost(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut fields = Fields(bytes);
    Some((fields.array().map(u64::from_le_bytes)?, fields.0))
}

/// Numbers of tasks.
pub(crate) fn encode_numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(crate) fn decode_numbers(bytes: &[u8]) -> Option<Vec<u64>> {
    let chunks = bytes.chunks_exact(8);
    chunks
        .remainder()
        .is_empty()
        .then(|| chunks.map(|chunk| u64::from_le_bytes(chunk.try_into().expect("a chunk has 8 bytes"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::EntryHead;

    #[test]
    fn heads_survive_and_damaged_ones_are_none() {
        let orders = Orders {
            build: 7,
            silence: 8,
            workers: 3,
            initializer_timeout: 5,
            task_timeout: None,
            max_tasks: Some(10),
            forks: true,
            silent: [true, false],
            clears_environment: true,
            environment: vec![(b"A".to_vec(), Some(b"1".to_vec())), (b"B".to_vec(), None)],
            arguments: vec![b"program".to_vec(), vec![]],
        };
        let mut bytes = orders.encode();
        assert_eq!(Orders::build(&bytes), Some(7));
        assert!((0..bytes.len()).all(|len| Orders::decode(&bytes[..len]).is_none()));
        bytes.push(1);
        assert_eq!(Orders::decode(&bytes), Some((orders, &[1][..])));

        let hello = Hello { workers: 4, process: 5, node: "n1" };
        let bytes = hello.encode();
        assert_eq!(Hello::decode(&bytes), Some(hello));
        assert!((0..bytes.len()).all(|len| Hello::decode(&bytes[..len]).is_none()));
        assert_eq!(Hello::decode(&Hello { workers: 0, ..hello }.encode()), None);

        let new = EntryHead { index: 5, position: (6, 7), name: "a::b" };
        let run =
            NodeRun { number: 1, timeout: Some(2), run: RunHead { entry: 0, new: Some(new), count: 1, blobs: 0 } };
        let mut bytes = Vec::new();
        run.encode(b"xyz", &mut bytes);
        assert!((0..bytes.len()).all(|len| NodeRun::decode(&bytes[..len], 0).is_none()));
        assert_eq!(NodeRun::decode(&bytes, 0), Some((run, b"xyz"[..].into(), &[][..])));

        let heads = [ValuesHead { first: u64::MAX, count: 300 }, ValuesHead { first: 1, count: 2 }];
        let bytes = encode_values(&heads, b"xyz");
        assert_eq!(bytes.len(), 1 + 10 + 2 + 2 + 4);
        assert!((0..bytes.len()).filter(|&len| len != 15).all(|len| decode_values(&bytes[..len]).is_none()));
        assert_eq!(decode_values(&bytes), Some((heads.to_vec(), b"xyz"[..].into())));
        assert_eq!(decode_values(&[0xff; 20]), None);

        assert_eq!(decode_numbers(&encode_numbers(&[1, 2])), Some(vec![1, 2]));
        assert_eq!(decode_numbers(&[0; 9]), None);
    }
}
