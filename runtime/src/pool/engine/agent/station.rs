//! Being the agent behind a queue: pools of local workers in which parcels are run, whoever has sent them.
//!
//! Where the parcels come from, and where the answers go, is for the crate that knows the queue.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::numbers::{note_answered, numbers_of, without};
use super::shorts::{ROOM, Shorts};
use super::streams::{Runs, is_loss};
use super::{Destination, FailedValue, Find, read_jobs, read_orders, room};
use crate::error::{Error, ErrorKind};
use crate::handle;
use crate::inherit::{self, Values};
use crate::link::{Frame, Outbox};
use crate::pool::Pool;
use crate::pool::builder::Settings;
use crate::pool::common::Fault;
use crate::pool::engine::parcel::{bytes_of, failure_within, frames};
use crate::pool::engine::texts;
use crate::pool::job::Job;
use crate::pool::letters::{Content, Letter};
use crate::pool::mailbox::{Mailbox, Until};
use crate::registry;
use crate::sys::Stdio;
use crate::wire::node::encode_numbers;
use crate::wire::parcel::ParcelHead;
use crate::wire::{AnswerHead, Blob, GlobalValue, Kind, NodeKind, Packed};

/// How many pools are kept, for those who submit with different settings. Each has as many workers as the machine.
const MOST_POOLS: usize = 4;

/// For how long one is kept that has nothing to do.
const IDLE: Duration = Duration::from_secs(60);

/// More tasks than a pool puts into one parcel.
const MOST_TASKS: u32 = 1 << 16;

/// How long a worker may take to begin that is started for nothing else.
const TRIAL: Duration = Duration::from_secs(30);

/// The agent: what its errands have in common.
pub struct Station {
    name: String,
    workers: usize,
    find: Find,
    largest: usize,
    pools: Vec<Arc<Local>>,
}

/// A pool for all parcels that say the same of what it is to be like.
struct Local {
    orders: Vec<u8>,
    blobs: Vec<Vec<u8>>,
    pool: Pool,
    failed_value: Arc<FailedValue>,
    /// The inherited statics of the last parcel: workers are told of those that have changed, and are not asked again
    /// whether they have.
    values: Mutex<Arc<Values>>,
    /// When it was used last, in milliseconds from the start.
    used: AtomicU64,
    started: Instant,
}

/// What is known of earlier attempts to run a parcel.
#[derive(Debug, Default)]
pub struct Before {
    /// How often it was given to an agent before.
    pub attempts: u32,
    /// The last one.
    pub node: Option<String>,
    /// The answers that are there.
    pub answers: Vec<Vec<u8>>,
}

impl Station {
    /// One with so many workers, or as many as there is room for. `largest` is how long an answer may be. Builds are compared
    /// by whoever chooses the queue, or else are meant to be different.
    #[must_use]
    pub fn new(name: &str, workers: Option<usize>, largest: usize, same_build: bool) -> Self {
        Self {
            name: name.to_owned(),
            workers: workers.unwrap_or_else(room).max(1),
            find: if same_build { registry::find } else { registry::find_by_name },
            largest,
            pools: Vec::new(),
        }
    }

    /// How many tasks can run at a time.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Starts a worker for nothing else than to see whether that is possible here now. Takes a moment.
    pub fn try_worker() -> Result<(), Error> {
        let (stdout, stderr) = (Stdio::null(), Stdio::null());
        let settings =
            Settings { dispatch: handle::may_start()?, stdout, stderr, initializer_timeout: TRIAL, ..Settings::new() };
        let pool = Pool::of(settings, 1, Arc::default())?;
        loop {
            if let Some((error, _)) = pool.common.broken() {
                return Err(error);
            }
            if !pool.common.processes().is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Begins to run a parcel. The error is of one that cannot be read, so that nobody can be answered.
    pub fn begin(&mut self, parcel: &[u8], before: &Before) -> Result<Errand, Error> {
        let mut all = frames(parcel);
        let (Some(Some(frame)), None) = (all.next(), all.next()) else { return Err(texts::damaged_parcel()) };
        if frame.kind != Kind::Node(NodeKind::Parcel) {
            return Err(texts::damaged_parcel());
        }
        let Frame { items, mut blobs, .. } = frame;
        let (head, rest) = ParcelHead::decode(&items).ok_or_else(texts::damaged_parcel)?;
        let (statics, runs) = inherit::split(rest).ok_or_else(texts::damaged_parcel)?;
        if head.count > MOST_TASKS {
            return Err(texts::damaged_parcel());
        }
        let of_tasks = blobs.split_off(blobs.len().min(head.blobs.into()));
        let tasks = head.first..head.first + u64::from(head.count);
        let mut answered = BTreeSet::new();
        before.answers.iter().for_each(|bytes| note_answered(bytes, &tasks, &mut answered));
        let mut errand = Errand {
            local: None,
            node: self.name.clone(),
            largest: self.largest,
            attempt: before.attempts + 1,
            may_repeat: before.attempts < head.retries,
            mailbox: Arc::default(),
            runs: Runs::default(),
            open: 0,
            lost: 0,
            ready: Vec::new(),
            is_broken: false,
            unstarted: None,
        };
        let mut jobs = errand.read(runs, of_tasks, &tasks, &answered, self.find).ok_or_else(texts::damaged_parcel)?;
        if before.attempts > head.retries {
            let node = before.node.as_deref().unwrap_or("a node");
            errand.refuse_all(&jobs, &answered, &texts::lost(node, before.attempts, texts::not_heard_of()));
            return Ok(errand);
        }
        let (local, values) = match self.local(head.orders, blobs, &statics) {
            Ok(local) => local,
            Err((error, Fault::Own)) => {
                errand.refuse_all(&jobs, &answered, &error);
                return Ok(errand);
            }
            Err((error, Fault::Start)) => {
                errand.unstarted = Some(error);
                return Ok(errand);
            }
        };
        jobs.iter_mut().for_each(|job| job.inherit(&values));
        if !answered.is_empty() {
            jobs = without(jobs, &answered);
        }
        errand.open = jobs.iter().map(Job::len).sum();
        let is_refused = local.pool.common.submit(&mut jobs).is_err();
        errand.local = Some(local);
        if is_refused {
            errand.breaks();
        }
        Ok(errand)
    }

    /// The pool that orders describe, and the inherited statics of its tasks.
    fn local(
        &mut self,
        orders: &[u8],
        blobs: Vec<Vec<u8>>,
        statics: &[GlobalValue<'_>],
    ) -> Result<(Arc<Local>, Arc<Values>), (Error, Fault)> {
        let wrong = |error| (error, Fault::Own);
        let values = Values::default().with(statics).map_err(wrong)?;
        self.sweep();
        let is_meant = |local: &Arc<Local>| local.orders == orders && local.blobs == blobs;
        // One whose workers cannot begin gives another one the chance to.
        self.pools.retain(|local| !(is_meant(local) && local.pool.common.broken().is_some()));
        if let Some(local) = self.pools.iter().find(|local| is_meant(local)) {
            local.touch();
            return Ok((Arc::clone(local), local.values(values)));
        }
        let failed_value = Arc::default();
        let begun = read_orders(orders, blobs.clone(), &failed_value, self.find).map_err(wrong)?;
        let values = Arc::new(values);
        // What the system refuses here it may not refuse elsewhere.
        let pool =
            Pool::of(begun.settings, self.workers, Arc::clone(&values)).map_err(|error| (error, Fault::Start))?;
        let local = Arc::new(Local {
            orders: orders.to_vec(),
            blobs,
            pool,
            failed_value,
            values: Mutex::new(Arc::clone(&values)),
            used: AtomicU64::new(0),
            started: Instant::now(),
        });
        self.pools.push(Arc::clone(&local));
        Ok((local, values))
    }

    /// Ends pools that nobody has used for a while, or that are too many.
    fn sweep(&mut self) {
        let mut kept: Vec<Arc<Local>> = std::mem::take(&mut self.pools);
        kept.sort_by_key(|local| local.idle());
        let mut gone = Vec::new();
        for (place, local) in kept.into_iter().enumerate() {
            // Errands hold theirs.
            let is_used = Arc::strong_count(&local) > 1;
            if !is_used && (place + 1 >= MOST_POOLS || local.idle() > IDLE) {
                gone.push(local);
            } else {
                self.pools.push(local);
            }
        }
        if !gone.is_empty() {
            // Its workers take their time to end, which is nobody's business.
            let _ = std::thread::Builder::new().name("spawnsafe-sweep".into()).spawn(move || drop(gone));
        }
    }
}

impl Local {
    fn touch(&self) {
        self.used.store(self.started.elapsed().as_millis() as u64, Ordering::Release);
    }

    fn idle(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Acquire)))
    }

    /// The inherited statics of a parcel; the same as before if nothing has changed.
    fn values(&self, now: Values) -> Arc<Values> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if !now.is_same(&values) {
            *values = Arc::new(now);
        }
        Arc::clone(&values)
    }
}

/// A parcel that is being run. Dropping it stops what runs.
pub struct Errand {
    local: Option<Arc<Local>>,
    node: String,
    largest: usize,
    /// Which attempt this is.
    attempt: u32,
    /// A task whose worker dies may be tried again.
    may_repeat: bool,
    mailbox: Arc<Mailbox>,
    runs: Runs,
    /// Tasks without an answer, all of which are in the pool.
    open: usize,
    /// Tasks whose workers have died, and that are to be tried again.
    lost: usize,
    /// Answers that have not been asked for.
    ready: Vec<Vec<u8>>,
    is_broken: bool,
    /// Why some have not begun.
    unstarted: Option<Error>,
}

impl Errand {
    /// Reads the tasks, and refuses those of entries that are not here. `None` if they cannot be read, or are others than
    /// the parcel should have.
    fn read(
        &mut self,
        runs: &[u8],
        blobs: Vec<Vec<u8>>,
        tasks: &Range<u64>,
        answered: &BTreeSet<u64>,
        find: Find,
    ) -> Option<Vec<Job>> {
        let mut refused = Vec::new();
        let to = Destination { mailbox: &self.mailbox, values: &Arc::default(), runs: &self.runs };
        // What becomes of those whose worker dies is for whoever counts the attempts.
        let jobs =
            read_jobs(runs, blobs, &mut Vec::new(), &to, 0, find, |number, error| refused.push((number, error)))?;
        let is_one = |numbers: Range<u64>| tasks.start <= numbers.start && numbers.end <= tasks.end;
        let is_own = jobs.iter().all(|job| is_one(numbers_of(job))) && refused.iter().all(|&(n, _)| is_one(n..n + 1));
        let count = jobs.iter().map(Job::len).sum::<usize>() + refused.len();
        if !is_own || count as u64 > tasks.end - tasks.start {
            return None;
        }
        for (number, error) in refused {
            if !answered.contains(&number) {
                self.refuse(number, &error);
            }
        }
        Some(jobs)
    }

    /// How many of its tasks have no answer yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Answers, as soon as there are some; none when there will be none any more.
    pub fn poll_answers(&mut self, context: &mut Context<'_>) -> Poll<Vec<Vec<u8>>> {
        loop {
            if !self.ready.is_empty() || self.open == 0 {
                return Poll::Ready(std::mem::take(&mut self.ready));
            }
            let Some(letter) = self.mailbox.poll(context.waker()) else { return Poll::Pending };
            let mut letters = vec![letter];
            self.mailbox.collect(&mut letters, Until::Now);
            self.answer(letters);
        }
    }

    fn answer(&mut self, letters: Vec<Letter>) {
        let broken = self.local.as_ref().and_then(|local| local.pool.common.broken()).map(|(error, _)| error);
        let mut shorts = Shorts::of_at_most(self.largest);
        for Letter { first, count, content } in letters {
            self.runs.ended(first, count);
            self.open = self.open.saturating_sub(count);
            match content {
                Content::Values { entry, answers, mut at } => {
                    for number in (first..).take(count) {
                        let (answer, next) = answers.get(at).expect("it was there when the letter was written");
                        at = next;
                        if answer.body.len() + ROOM > self.largest {
                            let error = texts::result_too_large(answer.body.len() + ROOM, self.largest);
                            self.refuse(number, &error.in_entry(entry.name()));
                        } else if let Some(full) = shorts.push(number, answer.body) {
                            self.send_items(NodeKind::Answers, full);
                        }
                    }
                }
                Content::Long { entry, attachments, .. } if !attachments.is_empty() => {
                    self.refuse(first, &texts::result_not_carried().in_entry(entry.name()));
                }
                Content::Long { entry, items, start, blobs, .. } => {
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    let packed = Packed { items: items[start..].to_vec(), blobs, ..Packed::default() };
                    let head = AnswerHead { task: first, failed: false }.encode();
                    let frame = Outbox::new(Kind::Node(NodeKind::Long), &head, packed);
                    match frame.len() {
                        len if len > self.largest => {
                            let error = texts::result_too_large(len, self.largest).in_entry(entry.name());
                            self.refuse(first, &error);
                        }
                        _ => self.ready.push(bytes_of(frame)),
                    }
                }
                Content::Failed(error) if broken.as_ref().is_some_and(|broken| error.is_copy_of(broken)) => {
                    self.is_broken = true;
                }
                Content::Failed(error) if is_loss(&error) && self.may_repeat => self.lost += 1,
                Content::Failed(error) if is_loss(&error) => {
                    let note = texts::worker_lost(&self.node, self.attempt);
                    self.refuse(first, &error.with_note(&note));
                }
                Content::Failed(error) => self.refuse(first, &error),
            }
        }
        if let Some(last) = shorts.finish() {
            self.send_items(NodeKind::Answers, last);
        }
        if self.is_broken && self.open == 0 {
            self.breaks();
        }
    }

    /// The pool's workers cannot begin, and the rest of the parcel has not run.
    fn breaks(&mut self) {
        self.open = 0;
        let Some(local) = &self.local else { return };
        let closed = || (Error::new(ErrorKind::Closed, "the agent ends"), Fault::Start);
        let (error, fault) = local.pool.common.broken().unwrap_or_else(closed);
        let value = local.failed_value.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.ready.push(bytes_of(match (fault, value) {
            (Fault::Start, _) => {
                self.unstarted = Some(error);
                return;
            }
            (Fault::Own, Some((items, blobs))) => {
                let blobs = blobs.into_iter().map(Blob::from).collect();
                let frame = Outbox::new(Kind::Value, &[], Packed { items, blobs, ..Packed::default() });
                match frame.len() {
                    len if len > self.largest => {
                        let error = error.with_note(&texts::value_too_large(len, self.largest));
                        failure_within(self.largest, Kind::Failure, &[], &error)
                    }
                    _ => frame,
                }
            }
            (Fault::Own, None) => failure_within(self.largest, Kind::Failure, &[], &error),
        }));
    }

    /// Why some of its tasks have not begun, once there are no more answers: no worker can be started here. That is no
    /// answer, as another agent may be able to.
    pub fn take_unstarted(&mut self) -> Option<Error> {
        self.unstarted.take()
    }

    /// Whether some of its tasks are to be tried again, once there are no more answers: their workers have died.
    #[must_use]
    pub fn has_lost_some(&self) -> bool {
        self.lost > 0
    }

    /// Whether that can come to be.
    #[must_use]
    pub fn may_repeat(&self) -> bool {
        self.may_repeat
    }

    fn send_items(&mut self, kind: NodeKind, items: Vec<u8>) {
        self.ready.push(bytes_of(Outbox::new(Kind::Node(kind), &[], Packed { items, ..Packed::default() })));
    }

    /// Nothing of it has run, or will.
    fn refuse_all(&mut self, jobs: &[Job], answered: &BTreeSet<u64>, error: &Error) {
        for job in jobs {
            let error = error.copy().in_entry(job.bundle.entry.name());
            numbers_of(job).filter(|number| !answered.contains(number)).for_each(|number| self.refuse(number, &error));
        }
    }

    fn refuse(&mut self, number: u64, error: &Error) {
        let head = AnswerHead { task: number, failed: true }.encode();
        self.ready.push(bytes_of(failure_within(self.largest, Kind::Node(NodeKind::Long), &head, error)));
    }

    /// Gives back what waits behind something else, so that another agent can run it. The answers say so. Whether there was
    /// any.
    pub fn hand_back(&mut self) -> bool {
        let Some(local) = &self.local else { return false };
        // Workers that have never worked are about to begin, or cannot, which the answers are to say.
        let figures = local.pool.figures();
        if figures.done == 0 && figures.running < figures.workers.max(1) {
            return false;
        }
        let jobs = local.pool.common.yield_those(|job| self.runs.has(&job.bundle.mailbox));
        if jobs.is_empty() {
            return false;
        }
        let numbers: Vec<u64> = jobs.iter().flat_map(|job| [job.first(), job.len() as u64]).collect();
        self.open -= jobs.iter().map(Job::len).sum::<usize>();
        jobs.iter().for_each(|job| self.runs.ended(job.first(), job.len()));
        // Two for each run.
        let most = (self.largest.saturating_sub(ROOM) / size_of::<[u64; 2]>()).max(1) * 2;
        numbers.chunks(most).for_each(|numbers| self.send_items(NodeKind::Yielded, encode_numbers(numbers)));
        true
    }

    /// These tasks need not begin; and are stopped, if it `kills`.
    pub fn stop(&self, tasks: &[u64], kills: bool) {
        tasks.iter().for_each(|&number| self.runs.stop(number, kills));
        self.look();
    }

    /// None of the tasks is wanted any more.
    pub fn stop_all(&self) {
        self.runs.stop_all();
        self.look();
    }

    fn look(&self) {
        if let Some(local) = &self.local {
            let common = &local.pool.common;
            common.withdraw_unwanted();
            common.cancellations.fetch_add(1, Ordering::AcqRel);
            common.wake_all();
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if self.open > 0 {
            self.stop_all();
        }
        if let Some(local) = &self.local {
            local.touch();
        }
    }
}

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("name", &self.name).field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Errand").field("open", &self.open).finish_non_exhaustive()
    }
}
