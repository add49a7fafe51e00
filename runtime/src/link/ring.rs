//! Answers of a worker in memory that it shares with its pool.
//!
//! A worker that dies takes with it what it has not yet written to its connection, and a write for each answer is what
//! short tasks would spend most of their time on. In shared memory an answer is safe as soon as it is there, at the cost
//! of a copy, and the connection only carries a bell, now and then. For the same reason the number of the task that is
//! next to begin stands here: it tells which one a dead worker was running, and the pool takes back tasks that have not
//! begun by moving it beyond them.
//!
//! ```text
//! word 0    the next task to begin; worker and pool both move it, by compare-and-swap
//! word 8    how much the worker has written, in words
//! word 16   how much the pool has read, in words
//! word 32 … the answers, each in whole words: its length in bytes, and the bytes
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::Shared;

const NEXT: usize = 0;
const WRITTEN: usize = 8;
const READ: usize = 16;
const DATA: usize = 32;

/// How much memory a worker shares with its pool: some thousand small answers. A whole number of pages, whatever their size,
/// as some systems count memory in them.
const WORDS: usize = 32 << 10;

const WORD: usize = size_of::<u64>();

/// The memory of one worker, on either side.
#[derive(Debug)]
pub(crate) struct Ring {
    shared: Shared,
    /// How far this side is.
    position: u64,
}

/// The worker's memory says what cannot be.
#[derive(Debug)]
pub(crate) struct Damaged;

impl Ring {
    /// Memory to be handed to a worker; `None` where the system has none, and the connection must do.
    pub(crate) fn memory() -> Option<Shared> {
        Shared::new(WORDS).ok()
    }

    pub(crate) fn new(shared: Shared) -> Option<Self> {
        (shared.words().len() == WORDS).then_some(Self { shared, position: 0 })
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        &self.shared.words()[index]
    }

    fn data(&self) -> &[AtomicU64] {
        &self.shared.words()[DATA..]
    }

    /// The number of the next task to begin.
    pub(crate) fn next(&self) -> u64 {
        self.word(NEXT).load(Ordering::Acquire)
    }

    /// Begins a task: in the worker. `false` if the pool has taken it back.
    pub(crate) fn begin(&self, task: u64) -> bool {
        self.word(NEXT).compare_exchange(task, task + 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes back all tasks that have not begun: in the pool, which has given `end` tasks. The first of them.
    pub(crate) fn take_back(&self, end: u64) -> u64 {
        let mut next = self.next();
        while next < end {
            match self.word(NEXT).compare_exchange(next, end, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => next = now,
            }
        }
        next
    }

    /// Writes an answer of two parts: in the worker. `false` if there is no room for it.
    pub(crate) fn push(&mut self, head: &[u8], body: &[u8]) -> bool {
        let len = head.len() + body.len();
        let words = 1 + len.div_ceil(WORD);
        let capacity = self.data().len();
        let used = self.position.wrapping_sub(self.word(READ).load(Ordering::Acquire));
        if words > capacity / 4 || used > capacity as u64 || words > capacity - used as usize {
            return false;
        }
        let mut at = self.position;
        let mut put = |word: [u8; WORD]| {
            self.data()[at as usize % capacity].store(u64::from_ne_bytes(word), Ordering::Relaxed);
            at += 1;
        };
        put((len as u64).to_ne_bytes());
        let (mut word, mut filled) = ([0; WORD], 0);
        for part in [head, body] {
            for &byte in part {
                word[filled] = byte;
                filled += 1;
                if filled == WORD {
                    put(word);
                    filled = 0;
                }
            }
        }
        if filled > 0 {
            put(word);
        }
        self.position = at;
        self.word(WRITTEN).store(at, Ordering::Release);
        true
    }

    /// Appends the next answer: in the pool. `false` if there is none yet.
    pub(crate) fn pop(&mut self, to: &mut Vec<u8>) -> Result<bool, Damaged> {
        let capacity = self.data().len();
        let there = self.word(WRITTEN).load(Ordering::Acquire).wrapping_sub(self.position);
        if there == 0 {
            return Ok(false);
        }
        let word = |offset: u64| {
            let at = self.position.wrapping_add(offset) as usize % capacity;
            self.data()[at].load(Ordering::Relaxed).to_ne_bytes()
        };
        let len = usize::try_from(u64::from_ne_bytes(word(0))).map_err(|_| Damaged)?;
        if there > capacity as u64 || len > capacity * WORD || 1 + len.div_ceil(WORD) as u64 > there {
            return Err(Damaged);
        }
        let words = len.div_ceil(WORD);
        let end = to.len() + len;
        to.reserve(words * WORD);
        (1..=words as u64).for_each(|offset| to.extend_from_slice(&word(offset)));
        to.truncate(end);
        self.position = self.position.wrapping_add(1 + words as u64);
        Ok(true)
    }

    /// Gives the room of what was read back to the worker.
    pub(crate) fn release(&self) {
        self.word(READ).store(self.position, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One side; the tests move its position to be the other. `None` where the system has no such memory.
    fn ring() -> Option<Ring> {
        Ring::new(Ring::memory()?)
    }

    #[test]
    fn answers_come_out_as_they_went_in_around_the_end_as_well() {
        let Some(mut ring) = ring() else { return };
        let mut read = 0;
        for round in 0..5_000_u64 {
            let body = vec![round as u8; (round % 97) as usize];
            assert!(ring.push(&round.to_le_bytes(), &body));
            let written = std::mem::replace(&mut ring.position, read);
            let mut answer = Vec::new();
            assert!(ring.pop(&mut answer).unwrap());
            assert_eq!((&answer[..8], &answer[8..]), (&round.to_le_bytes()[..], &body[..]));
            assert!(!ring.pop(&mut Vec::new()).unwrap());
            ring.release();
            read = ring.position;
            ring.position = written;
        }
    }

    #[test]
    fn a_full_ring_refuses() {
        let Some(mut ring) = ring() else { return };
        assert!(!ring.push(&[], &vec![0; WORDS * WORD]));
        while ring.push(&[1; 8], &[2; 92]) {}
        assert!(ring.position as usize > (WORDS - DATA) - 16);
    }

    #[test]
    fn nonsense_is_noticed() {
        let Some(mut ring) = ring() else { return };
        ring.word(WRITTEN).store(5, Ordering::Release);
        ring.word(DATA).store(u64::MAX, Ordering::Release);
        assert!(ring.pop(&mut Vec::new()).is_err());
        ring.word(DATA).store(33, Ordering::Release);
        assert!(ring.pop(&mut Vec::new()).is_err());
        ring.word(WRITTEN).store(u64::MAX, Ordering::Release);
        assert!(ring.pop(&mut Vec::new()).is_err());
    }

    #[test]
    fn tasks_are_begun_or_taken_back() {
        let Some(ring) = ring() else { return };
        assert!(ring.begin(0));
        assert!(!ring.begin(0));
        assert_eq!(ring.take_back(5), 1);
        assert!(!ring.begin(1) && !ring.begin(4));
        assert!(ring.begin(5));
        assert_eq!(ring.take_back(6), 6);
    }
}
