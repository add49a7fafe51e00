//! Saying to the pool what tasks have answered, and that the agent is there.
//!
//! The connections of srun and ssh hold short messages back: whoever has sent one sends no other before it is acknowledged,
//! and whoever has received one acknowledges it with what he says himself, or, if he says nothing, 40 ms later (Nagle's
//! algorithm and delayed acknowledgements). While tasks wait at the node nobody minds. Where workers may be about to have
//! nothing to do, both sides say something soon after they were told something: see `Node::acknowledges` for the other one.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::streams::{Heard, Output, Runs};
use super::{EXIT_REFUSED, FailedValue};
use crate::child;
use crate::error::Error;
use crate::link::Outbox;
use crate::pool::common::Common;
use crate::pool::letters::{Content, Letter};
use crate::pool::mailbox::{Mailbox, Until};
use crate::wire::{Blob, Kind, NodeKind, Packed};

/// How often it is looked whether the workers cannot begin.
const LOOK: Duration = Duration::from_millis(250);

/// How long answers wait for each other while the workers have enough to do.
const GATHER: Duration = Duration::from_millis(1);

/// How soon something is said after something was heard, and for how long after tasks or answers: what comes later does not
/// depend on a few milliseconds.
const ACKNOWLEDGE: Duration = Duration::from_millis(2);
const BRISK: Duration = Duration::from_millis(50);

/// What the thread that is told of tasks has to say to the one that answers.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    has_tasks: AtomicBool,
    is_slow: AtomicBool,
}

impl Pulse {
    /// Tasks have come. They answer into this mailbox.
    pub(super) fn quicken(&self, mailbox: &Mailbox) {
        self.has_tasks.store(true, Ordering::SeqCst);
        if self.is_slow.load(Ordering::SeqCst) {
            mailbox.call();
        }
    }
}

/// What answers come through, and where they go.
pub(super) struct Answering {
    pub(super) common: Arc<Common>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) runs: Arc<Runs>,
    pub(super) failed_value: Arc<FailedValue>,
    pub(super) output: Arc<Output>,
    pub(super) heard: Arc<Heard>,
    pub(super) pulse: Arc<Pulse>,
    /// How long the other side may have to wait for a sign of life.
    pub(super) silence: Duration,
}

impl Answering {
    /// Sends the answers as they come, and signs of life.
    pub(super) fn run(self) -> ! {
        let pause = (self.silence / 4).min(LOOK);
        let (mut said, mut active) = (Instant::now(), Instant::now());
        let mut letters = Vec::new();
        loop {
            let is_brisk = active.elapsed() < BRISK;
            self.pulse.is_slow.store(!is_brisk, Ordering::SeqCst);
            if self.pulse.has_tasks.swap(false, Ordering::SeqCst) {
                active = Instant::now();
                continue;
            }
            let pause = if is_brisk { ACKNOWLEDGE } else { pause };
            self.collect(&mut letters, Instant::now() + pause);
            if let Some((error, _)) = self.common.broken() {
                self.give_up(letters, &error);
            }
            if !letters.is_empty() {
                // Not afterwards: the other side may be quicker.
                said = Instant::now();
                self.output.send_answers(std::mem::take(&mut letters), &self.runs);
                active = Instant::now();
            } else if said.elapsed() >= self.silence / 4 || is_brisk && self.is_awaited(said) {
                said = Instant::now();
                self.output.send_items(NodeKind::Beat, Vec::new());
            }
        }
    }

    fn collect(&self, letters: &mut Vec<Letter>, until: Instant) {
        self.mailbox.collect(letters, Until::Time(until));
        if !letters.is_empty() && self.common.has_waiting() {
            // The workers do not wait for the other side, so the other side can wait for more: each frame costs all that
            // pass it on a wake-up.
            std::thread::sleep(GATHER);
            self.mailbox.collect(letters, Until::Now);
        }
    }

    /// Whether something was heard since then, and what comes next may be for workers that have nothing to do. Where all
    /// have something, the other side has nothing for them before it is told an answer, which acknowledges as well.
    /// The other side does not answer that if nothing is left to do, so this comes to an end.
    fn is_awaited(&self, said: Instant) -> bool {
        self.heard.silence() < said.elapsed() && self.common.is_hungry()
    }

    /// No worker can begin.
    fn give_up(&self, mut letters: Vec<Letter>, error: &Error) -> ! {
        // What has run has an answer, which must be heard before the rest is taken for what has not.
        self.common.wait_until_quiet(None);
        self.mailbox.collect(&mut letters, Until::Now);
        letters.retain(|letter| !matches!(&letter.content, Content::Failed(other) if other.is_copy_of(error)));
        self.output.send_answers(letters, &self.runs);
        let value = self.failed_value.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.output.send(match value {
            Some((items, blobs)) => {
                let blobs = blobs.into_iter().map(Blob::from).collect();
                Outbox::new(Kind::Value, &[], Packed { items, blobs, ..Packed::default() })
            }
            None => Outbox::new(Kind::Failure, &[], child::pack_error(error)),
        });
        exit(EXIT_REFUSED)
    }
}
