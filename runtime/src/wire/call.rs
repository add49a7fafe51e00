//! The head of a call: which entry to run, and in which surroundings.

use super::bytes::{Fields, put_sized};

/// Everything that a child must know before it looks at the arguments. Fixed binary, as it is read in every child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallHead<'a> {
    /// Identifies the build of the program: names mean the same in the same build only.
    pub(crate) build: u64,
    /// The entry's position in the registry, a hint that spares the child a search.
    pub(crate) index: u32,
    /// The entry's line and column, which tell apart two functions of one name in different function bodies.
    pub(crate) position: (u32, u32),
    pub(crate) name: &'a str,
    /// What the process is to be called, where the system has such a thing.
    pub(crate) process_name: &'a str,
    /// The directory to work in, in the system's own encoding; empty for the parent's.
    pub(crate) current_dir: &'a [u8],
    /// Up to which level the events of the process are wanted; 0 is none.
    pub(crate) events: u8,
}

impl<'a> CallHead<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(48 + self.name.len() + self.process_name.len() + self.current_dir.len());
        to.extend_from_slice(&self.build.to_le_bytes());
        to.extend_from_slice(&self.index.to_le_bytes());
        to.extend_from_slice(&self.position.0.to_le_bytes());
        to.extend_from_slice(&self.position.1.to_le_bytes());
        put_sized(&mut to, self.name.as_bytes());
        put_sized(&mut to, self.process_name.as_bytes());
        put_sized(&mut to, self.current_dir);
        to.push(self.events);
        to
    }

    /// The head, and the rest: the packed arguments. `None` if the bytes are no head.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut fields = Fields(bytes);
        let head = Self {
            build: fields.array().map(u64::from_le_bytes)?,
            index: fields.u32()?,
            position: (fields.u32()?, fields.u32()?),
            name: std::str::from_utf8(fields.sized()?).ok()?,
            process_name: std::str::from_utf8(fields.sized()?).ok()?,
            current_dir: fields.sized()?,
            events: fields.array::<1>()?[0],
        };
        Some((head, fields.0))
    }
}
