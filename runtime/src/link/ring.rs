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
//! word 24   not 0 as soon as the program's own code may have begun: inherited statics, the initializer
//! word 32 … the answers, each in whole words: its head, and its bytes
//! ```
//! The head of an answer is the length of the bytes in its lower half, with the highest bit of that half set if they are an
//! error; and in its upper half the lower half of the task's number, which is enough to tell it from the others that the
//! worker can have.
//!
//! # What is seen when
//! On a processor that reorders what others see (aarch64), too. Each of the two counts has one writer, and says how far
//! its side is with the words in between: the worker stores `WRITTEN` with release behind the answers, and the pool
//! loads it with acquire before it reads them; the pool stores `READ` with release behind its reads, and the worker
//! loads that with acquire before it writes over them. The words themselves need no order. `NEXT` decides by itself, by
//! compare-and-swap, between a worker that begins a task and a pool that takes it back: a worker that has been sent
//! tasks under new numbers has read them from the connection, and so sees that `NEXT` was moved before they were sent.
//! Nothing depends on the order in which the pool sees `NEXT` and `WRITTEN` of a worker that lives: an answer that it
//! does not see yet is one that it waits for, or reads when the worker was killed and reaped; after that it sees all
//! that the worker has written. An event or a bell goes through the connection, whose lock orders it with what its
//! sender has stored before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::Shared;

const NEXT: usize = 0;
const WRITTEN: usize = 8;
const READ: usize = 16;
const OWN: usize = 24;
const DATA: usize = 32;

/// How much memory a worker shares with its pool: some thousand small answers. In all it is a whole number of pages,
/// whatever their size, as some systems count memory in them.
const DATA_WORDS: usize = 32 << 10;
const WORDS: usize = DATA_WORDS + (8 << 10);

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

/// A short answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    /// The lower half of the task's number.
    pub(crate) task: u32,
    /// Whether the bytes are an error, and no value.
    pub(crate) failed: bool,
    pub(crate) body: &'a [u8],
}

const FAILED: u64 = 1 << 31;

impl Answer<'_> {
    fn head(&self) -> u64 {
        u64::from(self.task) << 32 | if self.failed { FAILED } else { 0 } | self.body.len() as u64
    }
}

/// Answers that were there at one time, out of the worker's reach.
#[derive(Debug, Default)]
pub(crate) struct Answers(Vec<u64>);

impl Answers {
    /// The answer at this place, and the place of the next one. `None` if there is none, or not all of it.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<(Answer<'_>, usize)> {
        let head = *self.0.get(at)?;
        let (len, task) = ((head & (FAILED - 1)) as usize, (head >> 32) as u32);
        let next = at + 1 + len.div_ceil(WORD);
        let body = self.0.get(at + 1..next)?;
        Some((Answer { task, failed: head & FAILED != 0, body: &bytemuck::cast_slice(body)[..len] }, next))
    }

    /// None yet.
    #[cfg(feature = "engines")]
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Appends an answer that has come by another way, and gives its place.
    #[cfg(feature = "engines")]
    pub(crate) fn push(&mut self, answer: Answer<'_>) -> usize {
        let at = self.0.len();
        self.0.push(answer.head());
        let chunks = answer.body.chunks(WORD).map(|chunk| {
            let mut word = [0; WORD];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        self.0.extend(chunks);
        at
    }

    /// Whether this is the place behind the last one.
    pub(crate) fn is_end(&self, at: usize) -> bool {
        at == self.0.len()
    }
}

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
        &self.shared.words()[DATA..DATA + DATA_WORDS]
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

    /// What follows is the program's own, and how that goes says nothing about the machine: in the worker.
    pub(crate) fn enter_own(&self) {
        self.word(OWN).store(1, Ordering::Release);
    }

    /// Whether a worker came so far, also one that is gone: in the pool.
    pub(crate) fn has_entered_own(&self) -> bool {
        self.word(OWN).load(Ordering::Acquire) != 0
    }

    /// Writes an answer: in the worker. `false` if there is no room for it.
    pub(crate) fn push(&mut self, answer: Answer<'_>) -> bool {
        let words = 1 + answer.body.len().div_ceil(WORD);
        let data = self.data();
        let used = self.position.wrapping_sub(self.word(READ).load(Ordering::Acquire));
        if words > data.len() / 4 || used > data.len() as u64 || words > data.len() - used as usize {
            return false;
        }
        let mut at = self.position;
        let mut put = |word: u64| {
            data[at as usize % DATA_WORDS].store(word, Ordering::Relaxed);
            at += 1;
        };
        put(answer.head());
        let mut chunks = answer.body.chunks_exact(WORD);
        for chunk in &mut chunks {
            put(u64::from_ne_bytes(*chunk.first_chunk().expect("it has as many bytes as a word")));
        }
        if !chunks.remainder().is_empty() {
            let mut last = [0; WORD];
            last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
            put(u64::from_ne_bytes(last));
        }
        self.position = at;
        self.word(WRITTEN).store(at, Ordering::Release);
        true
    }

    /// Takes all answers that are there: in the pool.
    pub(crate) fn pop(&mut self) -> Result<Answers, Damaged> {
        let data = self.data();
        let there = self.word(WRITTEN).load(Ordering::Acquire).wrapping_sub(self.position);
        let there = usize::try_from(there).ok().filter(|&there| there <= data.len()).ok_or(Damaged)?;
        let start = self.position as usize % DATA_WORDS;
        let (first, second) = (&data[start..], &data[..start]);
        let mut words = Vec::with_capacity(there);
        words.extend(first.iter().take(there).map(|word| word.load(Ordering::Relaxed)));
        words.extend(second.iter().take(there - words.len()).map(|word| word.load(Ordering::Relaxed)));
        self.position = self.position.wrapping_add(there as u64);
        if there > 0 {
            self.release();
        }
        Ok(Answers(words))
    }

    /// Gives the room of what was read back to the worker.
    fn release(&self) {
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
        for round in 0..5_000_u32 {
            let bodies = [vec![round as u8; (round % 97) as usize], vec![1; (round % 9) as usize]];
            let [first, second] = [(round, false, &bodies[0]), (!round, true, &bodies[1])]
                .map(|(task, failed, body)| Answer { task, failed, body });
            assert!(ring.push(first) && ring.push(second));
            let written = std::mem::replace(&mut ring.position, read);
            let answers = ring.pop().unwrap();
            let (answer, next) = answers.get(0).unwrap();
            assert_eq!(answer, first);
            let (answer, next) = answers.get(next).unwrap();
            assert_eq!(answer, second);
            assert!(answers.is_end(next) && answers.get(next).is_none());
            assert!(ring.pop().unwrap().is_end(0));
            read = ring.position;
            ring.position = written;
        }
    }

    #[test]
    fn a_full_ring_refuses() {
        let Some(mut ring) = ring() else { return };
        assert!(!ring.push(Answer { task: 0, failed: false, body: &vec![0; WORDS * WORD] }));
        while ring.push(Answer { task: 1, failed: false, body: &[2; 100] }) {}
        assert!(ring.position as usize > DATA_WORDS - 16);
    }

    #[test]
    fn nonsense_is_noticed() {
        let Some(mut ring) = ring() else { return };
        ring.word(WRITTEN).store(u64::MAX, Ordering::Release);
        assert!(ring.pop().is_err());
        ring.word(WRITTEN).store(DATA_WORDS as u64 + 1, Ordering::Release);
        assert!(ring.pop().is_err());
        // An answer that says to be longer than all that is there.
        for len in [33, FAILED - 1, u64::from(u32::MAX), u64::MAX] {
            let answers = Answers(vec![len, 0, 0, 0, 0]);
            assert!(answers.get(0).is_none() && !answers.is_end(0));
        }
        assert_eq!(Answers(vec![32, 0, 0, 0, 0]).get(0).unwrap().1, 5);
    }

    #[test]
    fn it_is_seen_how_far_a_worker_came() {
        let Some(ring) = ring() else { return };
        assert!(!ring.has_entered_own());
        ring.enter_own();
        assert!(ring.has_entered_own() && ring.next() == 0);
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
