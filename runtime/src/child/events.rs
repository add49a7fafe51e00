//! Events of this process on their way to the subscriber of its parent, with feature `tracing`.
//!
//! Each is sent when it happens: what an entry has said before it crashes is what is wanted most. Where the parent takes none
//! for a while, as a program that is stopped does, or one that waits for something else, they are lost and counted, and the
//! entry goes on. How many goes with the next event, or before the next frame of another kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber, span};

use super::reply::{self, complain};
use crate::link;
use crate::sys::Adopted;
use crate::trace::{self, Event};
use crate::wire::{EventHead, Packed};

/// How long an event may wait until the parent takes it. After that none waits, until one is taken.
const PATIENCE: Duration = Duration::from_millis(200);

/// The number of the task that runs, in a worker of a pool.
static TASK: AtomicU64 = AtomicU64::new(NONE);
const NONE: u64 = u64::MAX;

/// How many events could not be sent since the last one that could.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Notes which task runs from now on, on all threads.
pub(super) fn now_runs(task: Option<u64>) {
    TASK.store(task.unwrap_or(NONE), Ordering::Relaxed);
}

/// From now on, sends what happens up to this level.
pub(super) fn send_up_to(level: u8, adopted: &Arc<Adopted>) {
    let Some(level) = trace::level_of(level) else { return };
    let sends =
        Sends { level: LevelFilter::from_level(level), adopted: Arc::clone(adopted), is_stuck: AtomicBool::new(false) };
    if tracing::subscriber::set_global_default(sends).is_err() {
        complain(format_args!(
            "events of this child process are not forwarded: the program has set a subscriber of its own before `main`"
        ));
    }
}

/// Whether any were lost that nobody was told of yet.
pub(super) fn has_loss() -> bool {
    LOST.load(Ordering::Relaxed) > 0
}

/// What says how many were lost that nobody was told of yet, if any were.
pub(super) fn loss() -> Option<([u8; 8], Packed)> {
    let lost = LOST.swap(0, Ordering::Relaxed);
    (lost > 0).then(|| framed(&Event::of_loss(lost)))
}

/// Head and body of an event's frame.
fn framed(event: &Event) -> ([u8; 8], Packed) {
    let task = TASK.load(Ordering::Relaxed);
    let head = EventHead((task != NONE).then_some(task)).encode();
    let mut packer = link::packer();
    // It is plain data and always packs.
    let packed = packer.value(event).map(|()| packer.finish());
    (head, packed.unwrap_or_default())
}

/// The subscriber of a child.
struct Sends {
    level: LevelFilter,
    adopted: Arc<Adopted>,
    is_stuck: AtomicBool,
}

impl Subscriber for Sends {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let lost = LOST.swap(0, Ordering::Relaxed);
        let (head, packed) = framed(&Event::of(event, lost));
        let patience = if self.is_stuck.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
        let is_sent = reply::event(&head, packed, &self.adopted, Instant::now() + patience);
        self.is_stuck.store(!is_sent, Ordering::Relaxed);
        if !is_sent {
            LOST.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    // Spans stay here: what the parent knows is its own span of the child or task.

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
