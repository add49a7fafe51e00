//! Short answers, many in a frame.

use crate::wire::TaskRecord;
use crate::wire::parcel::ShortHead;

/// How much of them goes into one frame.
const MOST_BYTES: usize = 128 << 10;

/// What an answer takes in a frame of its own, besides itself, and more than that.
pub(super) const ROOM: usize = 64;

/// Short answers on their way into frames, none of which is longer than a message may be.
pub(super) struct Shorts {
    bytes: Vec<u8>,
    /// Where the head of the last run is, and what is in it.
    run: Option<(usize, ShortHead)>,
    limit: usize,
}

impl Shorts {
    pub(super) fn of_at_most(limit: usize) -> Self {
        Self { bytes: Vec::new(), run: None, limit: limit.min(MOST_BYTES) }
    }

    /// What is left, if anything is.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        Some(self.bytes).filter(|bytes| !bytes.is_empty())
    }

    /// Adds one; what was there before comes back if both together would be too long.
    pub(super) fn push(&mut self, task: u64, body: &[u8]) -> Option<Vec<u8>> {
        let is_full = !self.bytes.is_empty() && self.bytes.len() + body.len() + ROOM > self.limit;
        let full = is_full.then(|| {
            self.run = None;
            std::mem::take(&mut self.bytes)
        });
        match &mut self.run {
            Some((at, head)) if head.first + u64::from(head.count) == task => {
                head.count += 1;
                let mut bytes = Vec::new();
                head.encode(&mut bytes);
                self.bytes[*at..*at + bytes.len()].copy_from_slice(&bytes);
            }
            run => {
                let head = ShortHead { first: task, count: 1 };
                *run = Some((self.bytes.len(), head));
                head.encode(&mut self.bytes);
            }
        }
        TaskRecord(body).encode(&mut self.bytes);
        full
    }
}
