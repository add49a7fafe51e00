//! The section of a call between its head and its arguments: the values of statics that travel along.
//!
//! ```text
//! 4 bytes  number of values, little-endian
//! for each value:
//!     4 bytes  position of the static in the registry
//!     4 bytes  its line, 4 bytes its column
//!     8 bytes  length of its name, and the name
//!     8 bytes  length of its value, and the value: one CBOR item, without blobs
//! ```
//! A value has no blobs, as those of a frame are numbered for all its items together, and these values are packed apart
//! from each other so that one that has not changed need not be packed again.

use super::bytes::{Fields, put_sized};

/// Which static a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GlobalHead<'a> {
    /// Its position in the registry, a hint that spares the child a search.
    pub(crate) index: u32,
    /// Its line and column, which tell apart two statics of one name in different function bodies.
    pub(crate) position: (u32, u32),
    pub(crate) name: &'a str,
}

/// A static and its packed value.
pub(crate) type GlobalValue<'a> = (GlobalHead<'a>, &'a [u8]);

impl<'a> GlobalHead<'a> {
    /// Appends all of a value's part of the section but the value itself, which has this length.
    pub(crate) fn encode(&self, value_len: usize, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.index.to_le_bytes());
        to.extend_from_slice(&self.position.0.to_le_bytes());
        to.extend_from_slice(&self.position.1.to_le_bytes());
        put_sized(to, self.name.as_bytes());
        to.extend_from_slice(&(value_len as u64).to_le_bytes());
    }

    /// All values of the section, and what follows it: the packed arguments. `None` if the bytes are no section.
    pub(crate) fn decode_all(bytes: &'a [u8]) -> Option<(Vec<GlobalValue<'a>>, &'a [u8])> {
        let mut fields = Fields(bytes);
        let count = fields.u32()?;
        // Grows with what is really there, whatever the number says.
        let mut values = Vec::new();
        for _ in 0..count {
            let head = Self {
                index: fields.u32()?,
                position: (fields.u32()?, fields.u32()?),
                name: std::str::from_utf8(fields.sized()?).ok()?,
            };
            values.push((head, fields.sized()?));
        }
        Some((values, fields.0))
    }
}
