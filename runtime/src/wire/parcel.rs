//! What travels between a pool, or somebody who submits, and the agents behind a queue: each message stands for itself, as
//! nobody knows who takes it, and it may be taken again.
//!
//! ```text
//! Parcel   8 bytes  number of the first task
//!          4 bytes  how many
//!          4 bytes  how often each may run again that was lost
//!          2 bytes  how many of the frame's blobs are the initializer's
//!          its length, and: orders, a call's head, the confinement, no inherited statics, the arguments of the initializer
//!          the inherited statics
//!          runs of tasks, as a node is given them, each with what its entry is
//! Answers  8 bytes  number of the first task
//!          4 bytes  how many
//!          as many records as of arguments
//! Long     one that is long, or an error, as from a worker
//! Yielded  of each run of tasks that will not be run after all, the number of the first and how many they are, 8 bytes each
//! ```
//! An answer may come twice, from an agent that was believed to be lost. Numbers are little-endian.

use super::bytes::{Fields, put_sized};

/// What a parcel begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParcelHead<'a> {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) retries: u32,
    pub(crate) blobs: u16,
    /// What the pool is to be like, as a node is told it. The same bytes are the same pool.
    pub(crate) orders: &'a [u8],
}

impl<'a> ParcelHead<'a> {
    /// How much room it takes besides the orders.
    pub(crate) const LEN: usize = 8 + 4 + 4 + 2 + 8;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(Self::LEN + self.orders.len());
        to.extend_from_slice(&self.first.to_le_bytes());
        to.extend_from_slice(&self.count.to_le_bytes());
        to.extend_from_slice(&self.retries.to_le_bytes());
        to.extend_from_slice(&self.blobs.to_le_bytes());
        put_sized(&mut to, self.orders);
        to
    }

    /// The head, and what follows it: the inherited statics.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut fields = Fields(bytes);
        let head = Self {
            first: fields.array().map(u64::from_le_bytes)?,
            count: fields.u32()?,
            retries: fields.u32()?,
            blobs: fields.array().map(u16::from_le_bytes)?,
            orders: fields.sized()?,
        };
        head.first.checked_add(head.count.into())?;
        Some((head, fields.0))
    }
}

/// Short values of tasks that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShortHead {
    pub(crate) first: u64,
    pub(crate) count: u32,
}

impl ShortHead {
    /// What follows are as many records.
    pub(crate) fn encode(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.first.to_le_bytes());
        to.extend_from_slice(&self.count.to_le_bytes());
    }

    /// The head, and what follows it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        let head = Self { first: fields.array().map(u64::from_le_bytes)?, count: fields.u32()? };
        head.first.checked_add(head.count.into())?;
        Some((head, fields.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_and_damaged_ones_are_none() {
        let head = ParcelHead { first: 7, count: 3, retries: 2, blobs: 1, orders: b"orders" };
        let mut bytes = head.encode();
        assert_eq!(bytes.len(), ParcelHead::LEN + head.orders.len());
        assert!((0..bytes.len()).all(|len| ParcelHead::decode(&bytes[..len]).is_none()));
        bytes.push(9);
        assert_eq!(ParcelHead::decode(&bytes), Some((head, &[9][..])));
        assert_eq!(ParcelHead::decode(&ParcelHead { first: u64::MAX, ..head }.encode()), None);

        let head = ShortHead { first: 7, count: 3 };
        let mut bytes = Vec::new();
        head.encode(&mut bytes);
        assert!((0..bytes.len()).all(|len| ShortHead::decode(&bytes[..len]).is_none()));
        assert_eq!(ShortHead::decode(&bytes), Some((head, &[][..])));
        let mut beyond = Vec::new();
        ShortHead { first: u64::MAX, count: 1 }.encode(&mut beyond);
        assert_eq!(ShortHead::decode(&beyond), None);
    }
}
