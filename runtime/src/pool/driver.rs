//! One worker as its pool sees it: the tasks it was given, and the answers it gives.
//!
//! Nothing here waits. Bytes from the worker are input: an answer for a task that it was not given, or has answered, ends
//! it, as does anything that is no answer.

mod answers;
mod back;
mod ending;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::Job;
use super::letters::Deliveries;
use super::pace::Pace;
use crate::error::Error;
use crate::handle;
use crate::inherit::{Changes, Values};
use crate::launch::{Launched, Peer};
use crate::link::{self, Frame, Inbox, Outbox, Piece, Progress, Ring};
use crate::registry::Entry;
use crate::sys::{Ended, Interest};
use crate::trace::{Heard, Span};
use crate::wire::{EntryHead, Kind, RunHead, TasksHead};

/// How much is read before other things are looked at, and how many frames.
const BUDGET: usize = 4 << 20;
const FRAMES: usize = 64;

/// How often answers are looked for in a row before other things are.
const LOOKS: usize = 4;

/// How often the connection is read in a row for what was told before an answer: so many frames are more than it holds. A worker
/// may tell without end meanwhile.
const READS: usize = 64;

/// A worker that has not begun a task for so long, and has no other, does not run: it is stopped, or starved.
const STUCK: Duration = Duration::from_secs(1);

/// Why a worker is of no use any more.
#[derive(Debug)]
pub(super) enum End {
    /// It has ended by itself.
    Process(Ended),
    /// It must be killed, because …
    Garbage(String),
    LostConnection,
    TimedOut(Duration),
    Cancelled,
    Stuck,
    /// The system refuses to send it what it needs.
    Unsendable(std::io::Error),
    Unwatchable(std::io::Error),
    /// It could not begin.
    Unfit(Error),
    /// The pool ends.
    Dismissed(Error),
}

/// Whether tasks wait behind the first one of a worker.
pub(super) enum HoldUp {
    None,
    /// The first has not begun, and may take so long until it should have.
    NotBegun(Duration),
    /// It should have begun: the worker does not run.
    Stuck,
    /// It runs, and has been the first for so long.
    For(Duration),
}

/// Tasks that a worker has.
struct Flying {
    /// The number of the first one, as the worker counts; the others follow.
    number: u64,
    job: Job,
}

impl Flying {
    fn end(&self) -> u64 {
        self.number + self.job.len() as u64
    }
}

pub(super) struct Driver {
    pub(super) peer: Box<dyn Peer>,
    pub(super) id: u32,
    outboxes: VecDeque<Outbox>,
    inbox: Inbox,
    ring: Option<Ring>,
    /// The tasks that it has, by their numbers. Those that are missing have been answered, or taken back.
    flight: VecDeque<Flying>,
    /// The number of the next one.
    next: u64,
    /// How many it has.
    open: usize,
    /// How many it was given in all, without those that were taken back.
    given: u64,
    answered: u64,
    /// The entries that it was told of, by their addresses.
    entries: HashMap<usize, u32>,
    /// The one that was asked for last: most often the next one as well.
    last_entry: (usize, u32),
    values: Arc<Values>,
    /// Since when the first open task is the first.
    since: Instant,
    /// Since when it is known not to run; it is given nothing until it shows that it does.
    mute: Option<Instant>,
    refuses: bool,
    attended: bool,
    /// What somebody else than the thread of its seat has seen.
    noted: Option<End>,
    last_words: Option<Error>,
    is_partial: bool,
    /// What it has said of its beginning.
    begun: Option<Frame>,
    pace: Pace,
    /// Its own.
    pub(super) span: Span,
    /// It sends events.
    tells: bool,
    /// It has rung since answers were looked for.
    has_rung: bool,
    heard: Heard,
    /// Where its events go instead.
    #[cfg(all(feature = "engines", feature = "tracing"))]
    pub(super) relay: Option<super::builder::Relay>,
}

impl Driver {
    /// `tells` says that it was told to send events.
    pub(super) fn new(launched: Launched, values: Arc<Values>, span: Span, tells: bool) -> Self {
        let Launched { peer, outbox, shared, piped: _ } = launched;
        span.runs_in(peer.id());
        Self {
            id: peer.id(),
            peer,
            outboxes: VecDeque::from([outbox]),
            inbox: Inbox::default(),
            ring: shared.and_then(Ring::new),
            flight: VecDeque::new(),
            next: 0,
            open: 0,
            given: 0,
            answered: 0,
            entries: HashMap::new(),
            last_entry: (0, 0),
            values,
            since: Instant::now(),
            mute: None,
            refuses: false,
            attended: false,
            noted: None,
            last_words: None,
            is_partial: false,
            begun: None,
            pace: Pace::default(),
            span,
            tells,
            has_rung: false,
            heard: Heard::default(),
            #[cfg(all(feature = "engines", feature = "tracing"))]
            relay: None,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn given(&self) -> u64 {
        self.given
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// The events that have come, which are to happen before the answers are delivered.
    pub(super) fn take_heard(&mut self) -> Heard {
        std::mem::take(&mut self.heard)
    }

    /// What it has said of its beginning, once.
    pub(super) fn take_begun(&mut self) -> Option<Frame> {
        self.begun.take()
    }

    /// Does what can be done without waiting; answers go to `deliveries`. `true` if there may be more to do.
    /// With `leaves_answers` they stay where they are, for somebody else.
    pub(super) fn turn(&mut self, deliveries: &mut Deliveries, leaves_answers: bool) -> Result<bool, End> {
        if let Some(end) = self.noted.take() {
            return Err(end);
        }
        // Asked first: what the process has written by then is there, and is read below.
        let ended = self.peer.try_wait().map_err(End::Unwatchable)?;
        let before = self.answered;
        self.write();
        if leaves_answers && ended.is_none() {
            return Ok(false);
        }
        let looked = match self.tells {
            false => self.read(deliveries).and_then(|has_more| self.drain(deliveries).map(|()| has_more)),
            true => self.look(deliveries),
        };
        self.let_go();
        let count = (self.answered - before) as usize;
        if count > 0 {
            let now = Instant::now();
            self.pace.answered(count, now);
            self.since = now;
        }
        if let Some(ended) = ended {
            // More may be there than is read at once.
            while matches!(self.read(deliveries), Ok(true)) {}
            self.is_partial = self.inbox.is_partial();
            return Err(End::Process(ended));
        }
        looked
    }

    /// Takes events and answers. What a task has told was sent before its answer was there, and is to be heard before: so
    /// the answers are taken first, then the connection is read, and then the answers are looked at.
    fn look(&mut self, deliveries: &mut Deliveries) -> Result<bool, End> {
        for _ in 0..LOOKS {
            let answers = self.pop()?;
            let mut read = self.read(deliveries);
            for _ in 1..READS {
                if answers.is_end(0) || !matches!(read, Ok(true)) {
                    break;
                }
                read = self.read(deliveries);
            }
            self.accept_short(answers, deliveries)?;
            // What it has rung for may have come after the answers were taken.
            if !std::mem::take(&mut self.has_rung) {
                return read;
            }
            read?;
        }
        Ok(true)
    }

    /// How many tasks it may have. Only shared memory tells which of several was running when it died.
    pub(super) fn depth(&self) -> usize {
        if self.ring.is_some() { self.pace.depth() } else { 1 }
    }

    pub(super) fn interest(&self) -> Interest {
        if self.is_writing() { Interest::ReadOrWrite } else { Interest::Read }
    }

    /// Whether something is left to be written, which the connection did not take.
    pub(super) fn is_writing(&self) -> bool {
        !self.outboxes.is_empty()
    }

    fn write(&mut self) {
        while let Some(outbox) = self.outboxes.front_mut() {
            match outbox.pump(|pieces, handles| self.peer.write(pieces, handles)) {
                Ok(true) => drop(self.outboxes.pop_front()),
                Ok(false) => return,
                Err(error) => {
                    self.outboxes.clear();
                    // If it reads no more, its end says why.
                    if !link::is_closed(&error) {
                        self.note(End::Unsendable(error));
                    }
                }
            }
        }
    }

    /// Reads what has come; `true` if there may be more.
    fn read(&mut self, deliveries: &mut Deliveries) -> Result<bool, End> {
        for _ in 0..FRAMES {
            match self.inbox.pump(&mut *self.peer, BUDGET) {
                Ok(Progress::Complete(frame)) => {
                    self.accept_frame(frame, deliveries)?;
                    if self.open == 0 {
                        // Nothing is expected any more; what comes all the same is seen the next time.
                        return Ok(false);
                    }
                }
                Ok(Progress::More) => return Ok(true),
                Ok(Progress::Pending) => return Ok(false),
                Ok(Progress::Closed { .. }) => return Err(End::LostConnection),
                Err(error) => return Err(End::Garbage(error.to_string())),
            }
        }
        Ok(true)
    }

    fn accept_frame(&mut self, frame: Frame, deliveries: &mut Deliveries) -> Result<(), End> {
        self.mute = None;
        match frame.kind {
            Kind::Bell if self.tells => {
                self.has_rung = true;
                Ok(())
            }
            Kind::Bell => self.drain(deliveries),
            #[cfg(feature = "tracing")]
            Kind::Event if self.tells => self.hear(&frame),
            Kind::Answer => {
                if !self.tells {
                    self.drain(deliveries)?;
                }
                self.accept_long(frame, deliveries)
            }
            Kind::LastWords if self.last_words.is_none() => {
                self.last_words = Some(handle::failure(&frame.items, frame.blobs));
                Ok(())
            }
            Kind::Value | Kind::Failure if self.begun.is_none() && self.given == 0 => {
                self.begun = Some(frame);
                Ok(())
            }
            _ => Err(End::Garbage("it sent what no worker sends, or something twice".into())),
        }
    }

    /// Takes no more tasks from others than the thread of its seat.
    pub(super) fn refuse(&mut self) {
        self.refuses = true;
    }

    /// Whether it takes a task from whoever has one, as one of at most `most` in all.
    pub(super) fn is_free(&self, most: Option<u64>) -> bool {
        !self.refuses && self.open == 0 && self.mute.is_none() && most.is_none_or(|most| self.given < most)
    }

    /// Somebody else than the thread of its seat waits for its answers, or does not any more. `false` if there is nothing to
    /// wait for, or somebody does already.
    pub(super) fn set_attended(&mut self, attended: bool) -> bool {
        let may = !attended || !self.attended && !self.refuses && self.open > 0;
        if may {
            self.attended = attended;
        }
        may
    }

    pub(super) fn is_attended(&self) -> bool {
        self.attended
    }

    /// It is of no use any more: the thread of its seat is to know.
    pub(super) fn note(&mut self, end: End) {
        self.refuses = true;
        self.noted = Some(end);
    }

    /// Gives it tasks, which all have the same inherited statics; they stay in `jobs` if it cannot run them.
    pub(super) fn give(&mut self, jobs: &mut Vec<Job>) -> bool {
        let Some(first) = jobs.first() else { return true };
        let statics = match Arc::ptr_eq(&self.values, &first.bundle.values) {
            true => Values::nothing(),
            false => match first.bundle.values.changes_since(&self.values) {
                Changes::None => Values::nothing(),
                Changes::Some(section) => section,
                Changes::ForGood => return false,
            },
        };
        self.values = Arc::clone(&first.bundle.values);
        if self.open == 0 {
            self.since = Instant::now();
            self.pace.begins(self.since);
        }
        let count: usize = jobs.iter().map(Job::len).sum();
        let head = TasksHead { first: self.next, count: count as u32 };
        let mut runs = Vec::with_capacity(jobs.iter().map(|job| job.records().len() + RunHead::LEN).sum());
        let (mut blobs, mut attachments) = (Vec::new(), Vec::new());
        for job in jobs.drain(..) {
            job.runs_in(self.id);
            let (entry, new) = self.entry(job.bundle.entry, job.bundle.index);
            let own = job.bundle.blobs.len() as u16;
            RunHead { entry, new, count: job.len() as u32, blobs: own }.encode(job.records(), &mut runs);
            blobs.extend(job.bundle.blobs.iter().map(Arc::clone));
            // Of a frame's tasks only the last one has some: `Common::take` sees to that.
            attachments.extend_from_slice(&job.attachments);
            let number = self.next;
            self.next += job.len() as u64;
            self.flight.push_back(Flying { number, job });
        }
        let mut items = vec![Piece::Owned(head.encode().to_vec())];
        items.extend(statics);
        items.push(Piece::Owned(runs));
        self.outboxes.push_back(Outbox::of_shared(Kind::Tasks, items, blobs, attachments));
        self.open += count;
        self.given += count as u64;
        self.write();
        true
    }

    fn entry(&mut self, entry: &'static Entry, index: u32) -> (u32, Option<EntryHead<'static>>) {
        let (known, address) = (self.entries.len() as u32, std::ptr::from_ref(entry) as usize);
        if self.last_entry.0 == address {
            return (self.last_entry.1, None);
        }
        match self.entries.get(&address) {
            Some(&number) => {
                self.last_entry = (address, number);
                (number, None)
            }
            None => {
                self.entries.insert(address, known);
                (known, Some(EntryHead { index, position: entry.position(), name: entry.name() }))
            }
        }
    }

    /// The first task that is open: the one that runs, if it has begun.
    fn head(&self) -> Option<&Job> {
        self.flight.front().map(|flying| &flying.job)
    }

    /// The task that runs: the first one that is open, if it has begun. Where that cannot be known, it has.
    fn running(&self) -> Option<u64> {
        let first = self.flight.front()?.number;
        let has_begun = self.ring.as_ref().is_none_or(|ring| ring.next() > first);
        has_begun.then_some(first)
    }

    /// Drops the handles of the task that runs: the worker has them, and whoever waits at their other ends would wait for
    /// this process as well. One that may run again needs them.
    fn let_go(&mut self) {
        let has_them = self.running().is_some() && self.outboxes.is_empty();
        let head = self.flight.front_mut().map(|flying| &mut flying.job);
        if let Some(head) = head.filter(|head| has_them && head.retries == 0 && !head.attachments.is_empty()) {
            head.attachments = Vec::new();
        }
    }

    /// When [`check`](Self::check) may have something to say.
    pub(super) fn deadline(&self, now: Instant, usual: Option<Duration>) -> Option<Instant> {
        if let Some(mute) = self.mute {
            return mute.checked_add(usual?);
        }
        let deadline = self.since.checked_add(self.head()?.bundle.timeout?)?;
        // It has passed, and the task has not begun.
        Some(if deadline <= now { now + STUCK / 10 } else { deadline })
    }

    /// Whether the task that runs may run on. `usual` is how long tasks of the pool may take.
    pub(super) fn check(&self, now: Instant, usual: Option<Duration>) -> Result<(), End> {
        let is_mute = self.mute.zip(usual).is_some_and(|(since, usual)| now.duration_since(since) > usual);
        if is_mute {
            return Err(End::Stuck);
        }
        let Some(timeout) = self.head().and_then(|head| head.bundle.timeout) else { return Ok(()) };
        match self.since.checked_add(timeout) {
            Some(deadline) if deadline <= now => {}
            _ => return Ok(()),
        }
        // What has not begun is not late: see `hold_up`.
        if self.running().is_some() { Err(End::TimedOut(timeout)) } else { Ok(()) }
    }
}

impl Drop for Driver {
    /// No orphans and no zombies, whatever happens in the thread that holds it.
    fn drop(&mut self) {
        self.finish(&mut Vec::new());
    }
}
