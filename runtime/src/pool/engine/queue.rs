//! The thread of a queue: it puts a pool's tasks into the queue of an engine of another crate, and takes the answers.
//!
//! As the thread of a node, with two differences. Nobody knows who will take a task, so each parcel of tasks stands for
//! itself (`parcel`); and whoever takes one may vanish, and another one take it again, so that an answer may come twice.
//! The first counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::answers::Flight;
use super::credit::Credit;
use super::foreign::{Carrier, Event, Wake};
use super::parcel::{Standing, failure_in, frames};
use super::texts;
use crate::child::complain;
use crate::error::{Error, ErrorKind};
use crate::handle;
use crate::link::{Answer, Answers, Frame};
use crate::pool::common::{Common, Seat};
use crate::pool::job::Job;
use crate::pool::letters::{Content, Deliveries};
use crate::pool::texts as pool_texts;
use crate::sys;
use crate::wire::node::decode_numbers;
use crate::wire::parcel::ShortHead;
use crate::wire::{AnswerHead, Kind, NodeKind, TaskRecord};

/// The work of one worker that a parcel holds, if tasks are short: each parcel costs all that it passes some messages.
const PARCEL: Duration = Duration::from_millis(10);

/// The most that it holds, in tasks and in bytes.
const MOST_TASKS: usize = 1024;
const MOST_BYTES: usize = 128 << 10;

/// With so many parcels that the queue has not taken, there is no hurry to make more.
const MOST_UNSENT: usize = 64;

/// After which time without any worker somebody is told.
const LONELY: Duration = Duration::from_secs(10);

/// How often it is looked at the time.
const LOOK: Duration = Duration::from_secs(1);

/// A pool's way to a queue.
pub(in crate::pool) struct Line {
    pub(super) carrier: Box<dyn Carrier>,
    pub(super) wake: Wake,
    pub(super) url: String,
    pub(super) heartbeat: Duration,
    pub(super) start_timeout: Option<Duration>,
}

/// What the thread does from its start to its end.
pub(in crate::pool) fn run(common: &Common, seat: &Arc<Seat>, line: Line) {
    line.wake.set(seat);
    seat.width.store(0, Ordering::Release);
    let now = Instant::now();
    let queue = Queue {
        common,
        seat,
        standing: Standing::of(&common.settings, line.heartbeat),
        line,
        flight: Flight::default(),
        parcels: BTreeMap::new(),
        credit: Credit::new(1),
        workers: 0,
        cancellations: 0,
        alone_since: Some(now),
        has_complained: false,
        unfit: None,
    };
    queue.live();
}

/// Why the thread ends.
enum End {
    Dismissed(Error),
    Broken(Error),
    Done,
}

/// A parcel that is on its way, or with somebody.
struct Parcel {
    /// The number behind its last task.
    end: u64,
    /// How many of its tasks have no answer.
    open: usize,
    /// Who has taken it.
    node: Option<String>,
}

struct Queue<'a> {
    common: &'a Common,
    seat: &'a Arc<Seat>,
    line: Line,
    standing: Standing,
    flight: Flight,
    /// By the numbers of their first tasks.
    parcels: BTreeMap<u64, Parcel>,
    credit: Credit,
    workers: usize,
    cancellations: u64,
    /// Since when there is no worker.
    alone_since: Option<Instant>,
    has_complained: bool,
    /// When an agent has said that no worker can be started there, and why, if nothing was answered since.
    unfit: Option<(Instant, Error)>,
}

impl Queue<'_> {
    fn live(mut self) {
        let end = loop {
            match self.step() {
                Ok(until) => {
                    if let Err(error) = sys::wait_any([].iter(), &self.seat.waker, Some(until)) {
                        break End::Broken(Error::new(ErrorKind::System, format!("it cannot be waited: {error}")));
                    }
                }
                Err(end) => break end,
            }
        };
        self.finish(end);
    }

    /// Does what there is to do, and says until when there is nothing else.
    fn step(&mut self) -> Result<Instant, End> {
        if self.common.must_leave() {
            return Err(End::Dismissed(self.common.why_ended()));
        }
        let mut deliveries = Deliveries::new();
        let before = self.flight.len();
        let heard = self.hear(&mut deliveries);
        let now = Instant::now();
        let answered = before.saturating_sub(self.flight.len());
        if answered > 0 {
            self.credit.answered(answered, now);
        }
        self.stop_unwanted(&mut deliveries);
        self.note_tasks();
        self.common.deliver(deliveries);
        heard?;
        self.feed(now);
        if self.flight.len() == 0 && self.common.should_leave(self.seat) {
            return Err(End::Done);
        }
        self.look_for_workers(now)?;
        Ok(now + LOOK)
    }

    fn note_tasks(&self) {
        self.seat.tasks.store(self.flight.len(), Ordering::Release);
    }

    fn look_for_workers(&mut self, now: Instant) -> Result<(), End> {
        let Some(since) = self.alone_since else { return Ok(()) };
        let alone = now.saturating_duration_since(since);
        if let Some(limit) = self.line.start_timeout.filter(|&limit| alone >= limit) {
            let error = format!("{} came within {limit:?}: {}", "no worker", texts::nobody(&self.line.url));
            return Err(End::Broken(Error::new(ErrorKind::TimedOut, error)));
        }
        if alone < LONELY || self.flight.len() == 0 {
            return Ok(());
        }
        // Those that were there have said why they are not.
        if let Some((said, error)) = &self.unfit {
            if *said + LONELY >= since {
                return Err(End::Broken(error.copy()));
            }
        }
        if !std::mem::replace(&mut self.has_complained, true) {
            complain(format_args!("a pool has tasks for {alone:?} and {}", texts::nobody(&self.line.url)));
        }
        Ok(())
    }

    /// Takes what has come.
    fn hear(&mut self, deliveries: &mut Deliveries) -> Result<(), End> {
        while let Some(event) = self.line.carrier.next() {
            match event {
                Event::Workers(count) => {
                    self.workers = count;
                    self.credit.resize(count);
                    self.seat.width.store(count, Ordering::Release);
                    self.has_complained &= count == 0;
                    self.alone_since = if count > 0 { None } else { self.alone_since.or_else(|| Some(Instant::now())) };
                }
                Event::Begun { parcel, node } => {
                    if let Some(parcel) = self.parcels.get_mut(&parcel) {
                        parcel.node = Some(node);
                    }
                }
                Event::HandedBack { parcel } => {
                    if let Some(parcel) = self.parcels.get_mut(&parcel) {
                        parcel.node = None;
                    }
                }
                Event::Unfit { node, why } => {
                    if let Some(error) = failure_in(&why) {
                        self.unfit = Some((Instant::now(), texts::unfit(&node, &error)));
                    }
                }
                Event::Answers { parcel, bytes } => {
                    self.unfit = None;
                    self.accept(parcel, &bytes, deliveries)?;
                    self.settle(parcel);
                }
                Event::Refused { parcel, error } => self.fail(parcel, &error, deliveries),
                Event::Broken(error) => return Err(End::Broken(error)),
            }
        }
        Ok(())
    }

    /// Takes answers of a parcel. Those of others, or that have come before, are none.
    fn accept(&mut self, number: u64, bytes: &[u8], deliveries: &mut Deliveries) -> Result<(), End> {
        let Some(parcel) = self.parcels.get(&number) else { return Ok(()) };
        let (end, node) = (parcel.end, parcel.node.clone());
        let before = self.flight.len();
        for frame in frames(bytes) {
            let is_understood = match frame {
                None => None,
                Some(Frame { kind: Kind::Value, items, blobs, .. }) => {
                    return Err(self.unfit(node.as_deref(), &items, blobs));
                }
                Some(Frame { kind: Kind::Failure, items, blobs, .. }) => {
                    let error = handle::failure(&items, blobs);
                    return Err(End::Broken(texts::unfit(node.as_deref().unwrap_or("a node"), &error)));
                }
                Some(frame) => self.accept_frame(number..end, frame, deliveries),
            };
            if is_understood.is_none() {
                let error = texts::damaged_answer(node.as_deref().unwrap_or("somebody"));
                self.note_answered(number, before);
                self.fail(number, &error, deliveries);
                return Ok(());
            }
        }
        self.note_answered(number, before);
        Ok(())
    }

    /// The flight had so many tasks before some of this parcel were answered.
    fn note_answered(&mut self, number: u64, before: usize) {
        let answered = before.saturating_sub(self.flight.len());
        if let Some(parcel) = self.parcels.get_mut(&number) {
            parcel.open = parcel.open.saturating_sub(answered);
        }
    }

    /// The initializer has failed in a worker; what it said can only be understood here.
    fn unfit(&self, node: Option<&str>, items: &[u8], blobs: Vec<Vec<u8>>) -> End {
        let node = node.unwrap_or("a node");
        let judged = self.common.settings.initializer.as_ref().map(|initializer| {
            (initializer.judge)(items, blobs, Vec::new()).map_err(|error| error.in_entry(initializer.entry.name()))
        });
        End::Broken(match judged {
            Some(Err(error)) => texts::unfit(node, &error),
            Some(Ok(())) | None => texts::damaged_answer(node),
        })
    }

    fn accept_frame(&mut self, numbers: std::ops::Range<u64>, frame: Frame, deliveries: &mut Deliveries) -> Option<()> {
        match frame.kind {
            Kind::Node(NodeKind::Answers) => self.accept_short(numbers, &frame.items, deliveries),
            Kind::Node(NodeKind::Long) => {
                let (head, body) = AnswerHead::decode(&frame.items)?;
                let number = numbers.contains(&head.task).then_some(head.task)?;
                let Some((job, _)) = self.flight.find(number) else { return Some(()) };
                let content = match head.failed {
                    true => Content::Failed(handle::failure(body, frame.blobs)),
                    false => Content::Long {
                        entry: job.bundle.entry,
                        items: frame.items,
                        start: AnswerHead::LEN,
                        blobs: frame.blobs,
                        attachments: Vec::new(),
                    },
                };
                self.flight.end(number, 1, content, deliveries)
            }
            Kind::Node(NodeKind::Yielded) => {
                let mut runs = Vec::new();
                for run in decode_numbers(&frame.items)?.chunks(2) {
                    let &[first, count] = run else { return None };
                    let end = first.checked_add(count).filter(|&end| first >= numbers.start && end <= numbers.end)?;
                    runs.push(first..end);
                }
                // Only now: what was taken out has no other way back.
                let jobs = runs.into_iter().flatten().filter_map(|number| self.flight.take(number, 1)).collect();
                self.common.give_back(jobs);
                Some(())
            }
            _ => None,
        }
    }

    fn accept_short(
        &mut self,
        numbers: std::ops::Range<u64>,
        mut bytes: &[u8],
        deliveries: &mut Deliveries,
    ) -> Option<()> {
        let (mut answers, mut runs) = (Answers::none(), Vec::new());
        while !bytes.is_empty() {
            let (ShortHead { first, count }, mut records) = ShortHead::decode(bytes)?;
            let end = first + u64::from(count);
            if first < numbers.start || end > numbers.end {
                return None;
            }
            for number in first..end {
                let (TaskRecord(body), rest) = TaskRecord::decode(records)?;
                records = rest;
                runs.push((number, answers.push(Answer { task: number as u32, failed: false, body })));
            }
            bytes = records;
        }
        let answers = Arc::new(answers);
        let mut runs = runs.into_iter().peekable();
        while let Some((first, at)) = runs.next() {
            let Some((job, before)) = self.flight.find(first) else { continue };
            // As many as follow each other here and there are one letter.
            let (entry, most) = (job.bundle.entry, job.len() - before);
            let mut count = 1;
            while count < most && runs.next_if(|&(number, _)| number == first + count as u64).is_some() {
                count += 1;
            }
            let content = Content::Values { entry, answers: Arc::clone(&answers), at };
            self.flight.end(first, count, content, deliveries)?;
        }
        Some(())
    }

    /// All tasks of a parcel that have no answer end with this error.
    fn fail(&mut self, number: u64, error: &Error, deliveries: &mut Deliveries) {
        let Some(parcel) = self.parcels.remove(&number) else { return };
        for number in number..parcel.end {
            if let Some(job) = self.flight.take(number, 1) {
                job.fail(|| error.copy(), deliveries);
            }
        }
        self.line.carrier.finished(number);
    }

    /// Forgets a parcel all of whose tasks have an answer.
    fn settle(&mut self, number: u64) {
        if self.parcels.get(&number).is_some_and(|parcel| parcel.open == 0) {
            self.parcels.remove(&number);
            self.line.carrier.finished(number);
        }
    }

    /// Tells the agents which tasks nobody wants any more. Those that no agent has said to have are not waited for.
    fn stop_unwanted(&mut self, deliveries: &mut Deliveries) {
        let cancellations = self.common.cancellations.load(Ordering::Acquire);
        if std::mem::replace(&mut self.cancellations, cancellations) == cancellations {
            return;
        }
        let [stop, forget] = self.flight.newly_unwanted();
        let mut tasks: BTreeMap<(u64, bool), Vec<u64>> = BTreeMap::new();
        for (number, kills) in stop.into_iter().map(|n| (n, true)).chain(forget.into_iter().map(|n| (n, false))) {
            let Some((&first, parcel)) = self.parcels.range_mut(..=number).next_back() else { continue };
            tasks.entry((first, kills)).or_default().push(number);
            if parcel.node.is_none() {
                if let Some(job) = self.flight.take_run(number) {
                    parcel.open = parcel.open.saturating_sub(job.len());
                    job.fail(|| pool_texts::cancelled(None), deliveries);
                }
            }
        }
        for ((parcel, kills), tasks) in tasks {
            self.line.carrier.stop(parcel, &tasks, kills);
            if self.parcels.get(&parcel).is_some_and(|parcel| parcel.open == 0) {
                self.line.carrier.withdraw(parcel);
                self.settle(parcel);
            }
        }
    }

    /// Puts tasks into the queue: as many as keep all workers busy, and some for those that are about to come.
    fn feed(&mut self, now: Instant) {
        let workers = self.workers.max(1);
        let depth = self.credit.depth().max(workers.saturating_mul(2).saturating_add(2));
        // Not one by one, where many go.
        if self.flight.len() > depth / 2 && self.flight.len() > workers {
            return;
        }
        while self.flight.len() < depth && self.line.carrier.unsent() < MOST_UNSENT {
            let open = self.flight.len();
            let mut jobs = Vec::new();
            self.common.take(self.seat, depth - open, 0, &mut jobs);
            if jobs.is_empty() {
                break;
            }
            if open == 0 {
                self.credit.begins(now);
            }
            self.give(jobs.into(), workers);
        }
        self.note_tasks();
    }

    /// Makes parcels of tasks, which all have the same inherited statics.
    fn give(&mut self, mut jobs: VecDeque<Job>, workers: usize) {
        let total: usize = jobs.iter().map(Job::len).sum();
        let most = self.credit.tasks_in(PARCEL, MOST_TASKS).min(total.div_ceil(workers)).max(1);
        let most_bytes = MOST_BYTES.min(self.line.carrier.largest());
        while !jobs.is_empty() {
            let parcel = self.standing.divide(&mut jobs, most, most_bytes);
            self.send(parcel);
        }
    }

    fn send(&mut self, jobs: Vec<Job>) {
        let open = jobs.iter().map(Job::len).sum();
        let (number, bytes) = self.standing.parcel(jobs, &mut self.flight);
        self.parcels.insert(number, Parcel { end: number + open as u64, open, node: None });
        let (len, largest) = (bytes.len(), self.line.carrier.largest());
        if len > largest {
            let mut deliveries = Deliveries::new();
            self.fail(number, &texts::too_large(len, largest), &mut deliveries);
            self.common.deliver(deliveries);
        } else {
            self.line.carrier.send(number, bytes);
        }
    }

    /// Ends the pool's part in the queue, and tells its tasks.
    fn finish(mut self, end: End) {
        self.common.not_idle(self.seat);
        self.line.carrier.leave();
        let jobs = self.flight.disembark();
        self.seat.tasks.store(0, Ordering::Release);
        let mut deliveries = Deliveries::new();
        match end {
            End::Done => {}
            End::Dismissed(error) => {
                for (_, job) in jobs {
                    job.fail(|| error.copy(), &mut deliveries);
                }
            }
            End::Broken(error) => {
                let error = texts::broken(1, &error);
                self.common.give_up(self.seat, |_| error.copy());
                for (_, job) in jobs {
                    job.fail(|| error.copy(), &mut deliveries);
                }
            }
        }
        self.common.deliver(deliveries);
    }
}
