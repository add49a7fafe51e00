//! What a pool, its tasks and the threads of its workers have in common: the queue, and who has what to do.

mod nodes;
mod stage;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) use stage::Fault;
use stage::Stage;

use super::builder::Settings;
use super::driver::Driver;
use super::figures::Figures;
use super::job::Job;
use super::letters::{Deliveries, Delivery};
use super::mailbox::Mailbox;
use super::texts;
use crate::error::Error;
use crate::inherit::Values;
use crate::sys::Waker;
use crate::trace::Listener;

pub(super) struct Common {
    pub(super) settings: Settings,
    /// Who is told what happens to workers and in them.
    pub(super) listener: Listener,
    state: Mutex<State>,
    /// Notified when the last open task is done.
    quiet: Condvar,
    /// Tasks that were submitted and have no answer yet.
    open: AtomicUsize,
    done: AtomicU64,
    failed: AtomicU64,
    restarts: AtomicU64,
    /// Counts cancellations, so that the threads of workers look for them only if there was one.
    pub(super) cancellations: AtomicU64,
}

struct State {
    queue: VecDeque<Job>,
    /// How many tasks are in it.
    waiting: usize,
    seats: Vec<Arc<Seat>>,
    stage: Stage,
    /// The inherited statics, as the last task or the pool itself has found them.
    values: Arc<Values>,
    /// How many workers in a row have failed before they were ready, and when the next may be started.
    failures: u32,
    not_before: Option<Instant>,
    /// Somebody waits until no task is open.
    quiet_awaited: bool,
}

/// The place of one worker: its thread stays, workers come and go.
pub(super) struct Seat {
    pub(super) waker: Waker,
    /// Nothing to do: to be woken when there is. Changes under the lock of the state only.
    idle: AtomicBool,
    /// The pool was made smaller.
    retired: AtomicBool,
    /// How many tasks its worker has, and its process; 0 if there is none.
    pub(super) tasks: AtomicUsize,
    pub(super) process: AtomicU32,
    /// How many tasks can run there at a time.
    pub(super) width: AtomicUsize,
    worker: Mutex<Option<Arc<Mutex<Driver>>>>,
    /// Somebody else than the thread has taken an answer, since the thread has last looked.
    attended: AtomicBool,
}

/// What the thread of a worker is to do next.
pub(super) enum Next {
    Start(Arc<Values>),
    Wait(Instant),
    Leave,
}

impl Common {
    pub(super) fn new(settings: Settings, values: Arc<Values>) -> Self {
        Self {
            settings,
            listener: Listener::here(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                waiting: 0,
                seats: Vec::new(),
                stage: Stage::Open,
                values,
                failures: 0,
                not_before: None,
                quiet_awaited: false,
            }),
            quiet: Condvar::new(),
            open: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            cancellations: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more place for a worker.
    pub(super) fn add_seat(&self) -> Result<Arc<Seat>, Error> {
        let seat = Arc::new(Seat {
            waker: Waker::new().map_err(texts::no_waker)?,
            idle: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            tasks: AtomicUsize::new(0),
            process: AtomicU32::new(0),
            width: AtomicUsize::new(1),
            worker: Mutex::default(),
            attended: AtomicBool::new(false),
        });
        self.state().seats.push(Arc::clone(&seat));
        Ok(seat)
    }

    /// Has that many places at most.
    pub(super) fn retire_beyond(&self, count: usize) {
        let mut state = self.state();
        while state.seats.len() > count {
            if let Some(seat) = state.seats.pop() {
                seat.retired.store(true, Ordering::Release);
                seat.waker.wake();
            }
        }
        drop(state);
    }

    pub(super) fn seats(&self) -> usize {
        self.state().seats.len()
    }

    /// The inherited statics as they are now; the same `Arc` as before if nothing has changed.
    pub(super) fn values_now(&self) -> Result<Arc<Values>, Error> {
        let now = Values::now()?;
        let mut state = self.state();
        if !now.is_same(&state.values) {
            state.values = Arc::new(now);
        }
        Ok(Arc::clone(&state.values))
    }

    /// Takes tasks, all or none.
    pub(super) fn submit(&self, jobs: &mut Vec<Job>) -> Result<(), Error> {
        let mut state = self.state();
        if let Some(error) = state.stage.objection() {
            return Err(error);
        }
        let count = jobs.iter().map(Job::len).sum();
        self.open.fetch_add(count, Ordering::AcqRel);
        jobs.drain(..).for_each(|job| state.enqueue(job));
        state.wake(count);
        Ok(())
    }

    /// Takes a job of one task, and picks a worker for it that has nothing to do; or else keeps it, and `jobs` is empty.
    pub(super) fn admit_one(&self, jobs: &mut Vec<Job>) -> Result<Option<Arc<Seat>>, Error> {
        let mut state = self.state();
        if let Some(error) = state.stage.objection() {
            return Err(error);
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        let idle = state.seats.iter().find(|seat| seat.idle.load(Ordering::Acquire));
        if let (Some(seat), true) = (idle, state.queue.is_empty()) {
            seat.idle.store(false, Ordering::Release);
            return Ok(Some(Arc::clone(seat)));
        }
        jobs.drain(..).for_each(|job| state.enqueue(job));
        state.wake(1);
        Ok(None)
    }

    /// A worker has nothing to do, as somebody else than its thread has seen.
    pub(super) fn rest(&self, seat: &Seat) {
        let state = self.state();
        let may_rest = state.queue.is_empty() && matches!(state.stage, Stage::Open);
        if may_rest && !seat.retired.load(Ordering::Acquire) {
            seat.idle.store(true, Ordering::Release);
        } else {
            seat.waker.wake();
        }
    }

    /// Gives tasks back that a worker was given and has not begun.
    pub(super) fn give_back(&self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut answers = Vec::new();
        let mut state = self.state();
        let before = state.waiting;
        if let Some(error) = state.stage.refusal() {
            jobs.into_iter().for_each(|job| job.fail(|| error.copy(), &mut answers));
        } else {
            for job in jobs.into_iter().rev() {
                state.enqueue_first(job);
            }
        }
        let count = state.waiting - before;
        state.wake(count);
        drop(state);
        self.deliver(answers);
    }

    /// Moves tasks from the queue to the thread of a worker, or a node, that has `open` tasks already, and notes whether it is idle.
    /// All of them have the same inherited statics. Gives how many more it may have at once, which are of another kind, or
    /// too large to go together with these.
    pub(super) fn take(&self, seat: &Seat, most: usize, open: usize, to: &mut Vec<Job>) -> usize {
        let mut answers = Vec::new();
        let mut state = self.state();
        let width = seat.width.load(Ordering::Acquire).max(1);
        let share = match self.share(&state, most, open, seat) {
            0 if open >= width => return 0,
            share => share,
        };
        let (mut left, mut bytes) = (share, 0);
        while left > 0 && bytes < MOST_BYTES {
            let Some(mut job) = state.dequeue() else { break };
            if job.bundle.mailbox.is_unwanted() {
                job.fail(|| texts::cancelled(None), &mut answers);
                continue;
            }
            let must_wait = !job.attachments.is_empty() && open + (share - left) >= MOST_WITH_HANDLES;
            if must_wait || to.first().is_some_and(|first| !Arc::ptr_eq(&first.bundle.values, &job.bundle.values)) {
                state.enqueue_first(job);
                break;
            }
            let part = left.min(job.within(MOST_BYTES - bytes).max(1));
            if part < job.len() {
                let rest = job.split_off(part);
                state.enqueue_first(rest);
            }
            bytes += job.bytes();
            left -= part;
            let is_alone = !job.bundle.blobs.is_empty() || !job.attachments.is_empty();
            to.push(job);
            if is_alone {
                break;
            }
        }
        seat.idle.store(open + (share - left) < width, Ordering::Release);
        let more = if state.queue.is_empty() { 0 } else { left };
        drop(state);
        self.deliver(answers);
        more
    }

    /// Whether some worker has nothing to do and nothing to take.
    pub(super) fn is_hungry(&self) -> bool {
        let state = self.state();
        state.queue.is_empty() && state.seats.iter().any(|seat| seat.idle.load(Ordering::Acquire))
    }

    /// The seat's worker is gone, or cannot be given anything now. If it was woken for a task, others are instead.
    pub(super) fn not_idle(&self, seat: &Seat) {
        let state = self.state();
        seat.idle.store(false, Ordering::Release);
        state.wake(state.waiting);
    }

    /// Puts answers into their mailboxes.
    pub(super) fn deliver(&self, answers: Deliveries) {
        if answers.is_empty() {
            return;
        }
        let count = |failed: bool| {
            let letters = answers.iter().map(|delivery| &delivery.letter);
            letters.filter(|letter| letter.has_failed() == failed).map(|letter| letter.count).sum::<usize>()
        };
        let (done, failed) = (count(false), count(true));
        self.failed.fetch_add(failed as u64, Ordering::Relaxed);
        self.done.fetch_add(done as u64, Ordering::Relaxed);
        let all = done + failed;
        let mut answers = answers.into_iter().peekable();
        while let Some(Delivery { bundle, letter }) = answers.next() {
            bundle.mailbox.put(letter, &mut answers);
        }
        if self.open.fetch_sub(all, Ordering::AcqRel) == all {
            let state = self.state();
            if state.quiet_awaited {
                self.quiet.notify_all();
            }
            if matches!(state.stage, Stage::Closed) {
                state.seats.iter().for_each(|seat| seat.waker.wake());
            }
        }
    }

    /// Takes a task out of the queue. `None` if it is not in there.
    pub(super) fn withdraw(&self, mailbox: &Arc<Mailbox>) -> Option<Job> {
        let mut state = self.state();
        let at = state.queue.iter().position(|job| Arc::ptr_eq(&job.bundle.mailbox, mailbox))?;
        let job = state.queue.remove(at)?;
        state.waiting -= job.len();
        Some(job)
    }

    /// Takes the tasks out of the queue whose answers nobody wants any more.
    pub(super) fn withdraw_unwanted(&self) {
        let mut state = self.state();
        let (gone, kept): (VecDeque<Job>, _) =
            std::mem::take(&mut state.queue).into_iter().partition(|job| job.bundle.mailbox.is_unwanted());
        state.queue = kept;
        state.waiting -= gone.iter().map(Job::len).sum::<usize>();
        drop(state);
        self.fail(gone, || texts::cancelled(None));
    }

    pub(super) fn wake_all(&self) {
        self.state().seats.iter().for_each(|seat| seat.waker.wake());
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells all of these tasks, which are in nobody's hands any more, that they have ended with this error.
    pub(super) fn fail(&self, jobs: VecDeque<Job>, error: impl Fn() -> Error) {
        let mut answers = Vec::new();
        jobs.into_iter().for_each(|job| job.fail(&error, &mut answers));
        self.deliver(answers);
    }

    pub(super) fn figures(&self) -> Figures {
        let state = self.state();
        // Once for each: their workers' threads change them meanwhile.
        let tasks: Vec<usize> = state.seats.iter().map(|seat| seat.tasks.load(Ordering::Acquire)).collect();
        let width = |seat: &Arc<Seat>| seat.width.load(Ordering::Acquire);
        let running = tasks.iter().zip(&state.seats).map(|(&tasks, seat)| tasks.min(width(seat))).sum::<usize>();
        Figures {
            workers: state.seats.iter().filter(|seat| seat.is_at_work() || self.is_on_queue()).map(width).sum(),
            queued: state.waiting + tasks.iter().sum::<usize>() - running,
            running,
            done: self.done.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }

    /// The processes of the workers.
    pub(super) fn processes(&self) -> Vec<u32> {
        let state = self.state();
        let all = state.seats.iter().map(|seat| seat.process.load(Ordering::Acquire));
        all.filter(|&process| process != 0).collect()
    }
}

/// How many bytes of arguments a worker is given at once, at most; it always gets one task.
const MOST_BYTES: usize = 128 << 10;

/// With fewer tasks than that, a worker is given one with handles: the system limits how many are on their way.
const MOST_WITH_HANDLES: usize = 4;

impl State {
    fn enqueue(&mut self, job: Job) {
        self.waiting += job.len();
        self.queue.push_back(job);
    }

    fn enqueue_first(&mut self, job: Job) {
        self.waiting += job.len();
        self.queue.push_front(job);
    }

    fn dequeue(&mut self) -> Option<Job> {
        let job = self.queue.pop_front()?;
        self.waiting -= job.len();
        Some(job)
    }

    fn empty(&mut self) -> VecDeque<Job> {
        self.waiting = 0;
        std::mem::take(&mut self.queue)
    }

    /// Wakes workers that have nothing to do, one for each of so many tasks.
    fn wake(&self, tasks: usize) {
        let idle = self.seats.iter().filter(|seat| seat.idle.swap(false, Ordering::AcqRel));
        idle.take(tasks).for_each(|seat| seat.waker.wake());
    }

    /// How many of the waiting tasks a worker of this machine may take: its part, and nothing from those that are idle.
    fn share(&self, most: usize, open: usize, seat: &Seat) -> usize {
        let waiting = self.waiting;
        // Short tasks are not divided down to the last one: that would be many small writes.
        let part = waiting.div_ceil(self.seats.len().max(1)).max(most / 8);
        let others = self.seats.iter().filter(|other| !std::ptr::eq(&***other, seat));
        let for_others = match open {
            0 => 0,
            _ => others.filter(|other| other.idle.load(Ordering::Acquire)).count(),
        };
        most.min(part).min(waiting.saturating_sub(for_others))
    }
}

impl Seat {
    /// The worker, if there is one.
    pub(super) fn worker(&self) -> Option<Arc<Mutex<Driver>>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn seat_worker(&self, worker: Option<Arc<Mutex<Driver>>>) {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = worker;
    }

    pub(super) fn attend(&self) {
        self.attended.store(true, Ordering::Release);
    }

    pub(super) fn was_attended(&self) -> bool {
        self.attended.swap(false, Ordering::AcqRel)
    }

    fn is_at_work(&self) -> bool {
        self.process.load(Ordering::Acquire) != 0
    }
}
