//! One worker as its pool sees it: the tasks it was given, and the answers it gives.
//!
//! Nothing here waits. Bytes from the worker are input: an answer for a task that it was not given, or has answered, ends
//! it, as does anything that is no answer.

mod ending;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mailbox::{Deliveries, Job, Reply};
use super::pace::Pace;
use crate::error::Error;
use crate::handle;
use crate::inherit::{Changes, Values};
use crate::launch::{Launched, Peer};
use crate::link::{self, Frame, Inbox, Outbox, Piece, Progress, Ring};
use crate::registry::Entry;
use crate::sys::{Ended, Interest};
use crate::wire::{AnswerHead, Arrived, EntryHead, Kind, TaskHead, TasksHead};

/// How much is read before other things are looked at.
const BUDGET: usize = 4 << 20;

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

pub(super) struct Driver {
    pub(super) peer: Box<dyn Peer>,
    pub(super) id: u32,
    outboxes: VecDeque<Outbox>,
    inbox: Inbox,
    ring: Option<Ring>,
    /// The tasks that it was given from number `first` on; `None` where one is answered or was taken back.
    flight: VecDeque<Option<Job>>,
    first: u64,
    /// How many of them are open.
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
}

impl Driver {
    pub(super) fn new(launched: Launched, values: Arc<Values>) -> Self {
        let Launched { peer, outbox, shared, piped: _ } = launched;
        Self {
            id: peer.id(),
            peer,
            outboxes: VecDeque::from([outbox]),
            inbox: Inbox::default(),
            ring: shared.and_then(Ring::new),
            flight: VecDeque::new(),
            first: 0,
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

    /// What it has said of its beginning, once.
    pub(super) fn take_begun(&mut self) -> Option<Frame> {
        self.begun.take()
    }

    fn end_number(&self) -> u64 {
        self.first + self.flight.len() as u64
    }

    /// Does what can be done without waiting; answers go to `deliveries`. `true` if there may be more to do.
    /// With `leaves_answers` they stay where they are, for somebody else.
    pub(super) fn turn(&mut self, deliveries: &mut Deliveries, leaves_answers: bool) -> Result<bool, End> {
        if let Some(end) = self.noted.take() {
            return Err(end);
        }
        // Asked first: what the process has written by then is there, and is read below.
        let ended = self.peer.try_wait().map_err(End::Unwatchable)?;
        let before = deliveries.len();
        self.write();
        if leaves_answers && ended.is_none() {
            return Ok(false);
        }
        let read = self.read(deliveries);
        let drained = self.drain(deliveries);
        self.let_go();
        let count = deliveries.len() - before;
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
        drained?;
        read
    }

    /// How many tasks it may have. Only shared memory tells which of several was running when it died.
    pub(super) fn depth(&self) -> usize {
        if self.ring.is_some() { self.pace.depth() } else { 1 }
    }

    pub(super) fn interest(&self) -> Interest {
        if self.outboxes.is_empty() { Interest::Read } else { Interest::ReadOrWrite }
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
        loop {
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
    }

    fn accept_frame(&mut self, frame: Frame, deliveries: &mut Deliveries) -> Result<(), End> {
        self.mute = None;
        match frame.kind {
            Kind::Bell => self.drain(deliveries),
            Kind::Answer => {
                self.drain(deliveries)?;
                // Of any length.
                self.accept(&Arc::new(frame.items), (0, u32::MAX), (frame.blobs, frame.attachments), deliveries)
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

    /// Takes the answers out of the memory that it shares with this process.
    fn drain(&mut self, deliveries: &mut Deliveries) -> Result<(), End> {
        let Some(ring) = &mut self.ring else { return Ok(()) };
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        let popped = loop {
            let start = bytes.len();
            match ring.pop(&mut bytes) {
                Ok(true) => parts.push((start as u32, bytes.len() as u32)),
                Ok(false) => break Ok(()),
                Err(_) => break Err(End::Garbage("the memory that it shares with the pool is damaged".into())),
            }
        };
        if parts.is_empty() {
            return popped;
        }
        ring.release();
        let bytes = Arc::new(bytes);
        deliveries.reserve(parts.len());
        for part in parts {
            self.accept(&bytes, part, Default::default(), deliveries)?;
        }
        popped
    }

    fn accept(
        &mut self,
        bytes: &Arc<Vec<u8>>,
        (start, end): (u32, u32),
        (blobs, attachments): (Vec<Vec<u8>>, Vec<Arrived>),
        deliveries: &mut Deliveries,
    ) -> Result<(), End> {
        let damaged = || End::Garbage("an answer of it cannot be read".into());
        let to = if end == u32::MAX { bytes.len() } else { end as usize };
        let (head, body) = AnswerHead::decode(&bytes[start as usize..to]).ok_or_else(damaged)?;
        let at = head.task.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let job = at.and_then(|at| self.flight.get_mut(at)).and_then(Option::take);
        let Some(job) = job else {
            return Err(End::Garbage("it answered a task that it was not given, or has answered".into()));
        };
        self.open -= 1;
        self.answered += 1;
        self.trim();
        let part = (start + AnswerHead::LEN as u32, end);
        let answer = match head.failed {
            true => Err(handle::failure(body, blobs).in_entry(job.entry.name())),
            false => {
                let (blobs, attachments) = (blobs.into(), attachments.into());
                Ok(Reply { entry: job.entry, bytes: Arc::clone(bytes), part, blobs, attachments })
            }
        };
        deliveries.push(job.ends_with(answer));
        Ok(())
    }

    fn trim(&mut self) {
        while let Some(None) = self.flight.front() {
            self.flight.pop_front();
            self.first += 1;
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
        let statics = match Arc::ptr_eq(&self.values, &first.origin.values) {
            true => Values::nothing(),
            false => match first.origin.values.changes_since(&self.values) {
                Changes::None => Values::nothing(),
                Changes::Some(section) => section,
                Changes::ForGood => return false,
            },
        };
        self.values = Arc::clone(&first.origin.values);
        if self.open == 0 {
            self.since = Instant::now();
            self.pace.begins(self.since);
        }
        let head = TasksHead { first: self.end_number(), count: jobs.len() as u32 };
        let mut tasks = Vec::with_capacity(jobs.iter().map(|job| job.items.len() + 16).sum());
        let (mut blobs, mut attachments) = (Vec::new(), Vec::new());
        for job in jobs.iter() {
            // Of a frame's tasks only the last one has some: `Common::take` sees to that.
            attachments.extend_from_slice(&job.attachments);
            job.span.runs_in(self.id);
            let (entry, new) = self.entry(job.entry, job.index);
            let own = job.blobs.len() as u16;
            TaskHead { entry, new, blobs: own }.encode(&job.items, &mut tasks);
            blobs.extend(job.blobs.iter().map(Arc::clone));
        }
        let mut items = vec![Piece::Owned(head.encode().to_vec())];
        items.extend(statics);
        items.push(Piece::Owned(tasks));
        self.outboxes.push_back(Outbox::of_shared(Kind::Tasks, items, blobs, attachments));
        self.open += jobs.len();
        self.given += jobs.len() as u64;
        self.flight.extend(jobs.drain(..).map(Some));
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
        self.flight.front().and_then(Option::as_ref)
    }

    /// The task that runs: the first one that is open, if it has begun. Where that cannot be known, it has.
    fn running(&self) -> Option<u64> {
        let has_begun = self.ring.as_ref().is_none_or(|ring| ring.next() > self.first);
        self.head().filter(|_| has_begun).map(|_| self.first)
    }

    /// Drops the handles of the task that runs: the worker has them, and whoever waits at their other ends would wait for
    /// this process as well. One that may run again needs them.
    fn let_go(&mut self) {
        let has_them = self.running().is_some() && self.outboxes.is_empty();
        let head = self.flight.front_mut().and_then(Option::as_mut);
        if let Some(head) = head.filter(|head| has_them && head.retries == 0) {
            head.attachments = Vec::new();
        }
    }

    /// When [`check`](Self::check) may have something to say.
    pub(super) fn deadline(&self, now: Instant, usual: Option<Duration>) -> Option<Instant> {
        if let Some(mute) = self.mute {
            return mute.checked_add(usual?);
        }
        let deadline = self.since.checked_add(self.head()?.timeout?)?;
        // It has passed, and the task has not begun.
        Some(if deadline <= now { now + STUCK / 10 } else { deadline })
    }

    /// Whether the task that runs may run on. `usual` is how long tasks of the pool may take.
    pub(super) fn check(&self, now: Instant, usual: Option<Duration>) -> Result<(), End> {
        let is_mute = self.mute.zip(usual).is_some_and(|(since, usual)| now.duration_since(since) > usual);
        if is_mute {
            return Err(End::Stuck);
        }
        let Some(timeout) = self.head().and_then(|head| head.timeout) else { return Ok(()) };
        match self.since.checked_add(timeout) {
            Some(deadline) if deadline <= now => {}
            _ => return Ok(()),
        }
        // What has not begun is not late: see `hold_up`.
        if self.running().is_some() { Err(End::TimedOut(timeout)) } else { Ok(()) }
    }

    /// Takes tasks back that have not begun, if one is not wanted any more; and whether one that was cancelled runs.
    pub(super) fn cancel(&mut self) -> (Vec<Job>, bool) {
        let is_cancelled = |job: &Option<Job>| job.as_ref().is_some_and(|job| job.origin.mailbox.is_cancelled());
        let is_unwanted = |job: &Option<Job>| job.as_ref().is_some_and(|job| job.origin.mailbox.is_unwanted());
        if !self.flight.iter().any(is_unwanted) {
            return (Vec::new(), false);
        }
        let jobs = self.take_back();
        (jobs, self.flight.iter().any(is_cancelled))
    }

    /// What the first task does to those behind it.
    pub(super) fn hold_up(&self, now: Instant) -> HoldUp {
        match &self.ring {
            Some(ring) if self.open > 0 && ring.next() <= self.first => match self.runs_for(now) {
                since if since >= STUCK => HoldUp::Stuck,
                since => HoldUp::NotBegun(STUCK - since),
            },
            Some(_) if self.open > 1 => HoldUp::For(self.runs_for(now)),
            _ => HoldUp::None,
        }
    }

    /// It does not run: takes back what it has, and gives it nothing until it shows that it does.
    pub(super) fn mute(&mut self, now: Instant) -> Vec<Job> {
        self.mute = Some(now);
        self.take_back()
    }

    pub(super) fn is_mute(&self) -> bool {
        self.mute.is_some()
    }

    /// How long the first task has been the first.
    pub(super) fn runs_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Takes all tasks back that have not begun.
    pub(super) fn take_back(&mut self) -> Vec<Job> {
        let end = self.end_number();
        let Some(ring) = &self.ring else { return Vec::new() };
        let next = ring.take_back(end).clamp(self.first, end);
        let kept = (next - self.first) as usize;
        let mut jobs: Vec<Job> = self.flight.drain(kept..).flatten().collect();
        self.open -= jobs.len();
        self.given -= jobs.len() as u64;
        // The numbers are used up.
        self.flight.extend(std::iter::repeat_with(|| None).take((end - next) as usize));
        self.trim();
        jobs.shrink_to_fit();
        jobs
    }
}

impl Drop for Driver {
    /// No orphans and no zombies, whatever happens in the thread that holds it.
    fn drop(&mut self) {
        self.finish(&mut Vec::new());
    }
}
