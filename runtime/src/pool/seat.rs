//! The thread of one worker: it starts it, gives it tasks, and starts another when it has ended.
//!
//! One thread for each worker, so that what happens to a worker is told here from top to bottom. It waits for the worker's
//! connection and process, for the time, and for its waker, which others use when there is something to do.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::builder::Settings;
use super::common::{Common, Fault, Next, Seat};
use super::direct::lock;
use super::driver::{Driver, End, HoldUp};
use super::job::Job;
use super::letters::Deliveries;
use super::pace::LONG;
use super::texts;
use crate::error::Error;
use crate::handle;
use crate::inherit::Values;
use crate::launch::{Launched, Order};
use crate::link::{Outbox, Piece, Ring};
use crate::sys;
use crate::trace::Span;
use crate::wire::{Attachment, Blob, CallHead, Kind};

/// How long a worker may take to end by itself; what runs then is the user's (exit handlers of C libraries).
const GRACE: Duration = Duration::from_secs(10);

/// How long a worker that has closed its connection may take to end.
const SOON: Duration = Duration::from_secs(1);

/// A worker that ends by itself, without a task and so soon, was of no use.
const USEFUL: Duration = Duration::from_secs(1);

/// For how long the thread leaves a worker to those who submit and join one task after another.
const BLIND: Duration = Duration::from_millis(5);

/// For how long tasks may wait behind one that runs while another worker has nothing to do, and how rarely that is looked
/// at if it lasts.
const HOLD_UP: Duration = Duration::from_millis(1);
const SELDOM: Duration = Duration::from_millis(8);

/// What the thread does from its start to its end.
pub(super) fn run(common: &Common, seat: &Seat) {
    let mut is_first = true;
    loop {
        match common.next(seat) {
            Next::Leave => return,
            // An error is no more than a shorter wait.
            Next::Wait(until) => drop(sys::wait_any([].iter(), &seat.waker, Some(until))),
            Next::Start(values) => {
                if !std::mem::take(&mut is_first) {
                    common.restarted();
                }
                match start(common, values) {
                    Ok(driver) => Life { common, seat, is_ready: false, started: Instant::now() }.run(driver),
                    Err(error) => common.failed_to_start(error, Fault::Start),
                }
            }
        }
    }
}

fn start(common: &Common, values: Arc<Values>) -> Result<Driver, Error> {
    let span = Span::worker(common.settings.initializer.as_ref().map(|initializer| initializer.entry.name()));
    let events = common.settings.events();
    match launch(common, &values, events) {
        Ok(launched) => {
            #[cfg_attr(not(all(feature = "engines", feature = "tracing")), allow(unused_mut))]
            let mut driver = Driver::new(launched, values, span, events > 0);
            #[cfg(all(feature = "engines", feature = "tracing"))]
            driver.relay.clone_from(&common.settings.relay);
            Ok(driver)
        }
        Err(error) => {
            span.begins(Some(&error));
            Err(error)
        }
    }
}

/// What travels in one frame: its items, and what they refer to.
type Beginning = (Vec<Piece>, Vec<Arc<Blob>>, Vec<Attachment>);

/// What a worker is told first: how it is to be, the inherited statics, and the initializer.
pub(super) fn beginning(settings: &Settings, values: &Values, events: u8) -> Beginning {
    let no_initializer = || CallHead {
        build: sys::build_id(),
        index: 0,
        position: (0, 0),
        name: "",
        process_name: settings.process_name(),
        current_dir: settings.current_dir(),
        events,
    };
    let head = match &settings.initializer {
        None => no_initializer(),
        Some(initializer) => CallHead {
            index: initializer.index,
            position: initializer.entry.position(),
            name: initializer.entry.name(),
            ..no_initializer()
        },
    };
    let mut start = head.encode();
    settings.confinement.encode(&mut start);
    let mut items = vec![Piece::Owned(start)];
    items.extend(values.section());
    let (mut blobs, mut attachments) = (Vec::new(), Vec::new());
    if let Some(initializer) = &settings.initializer {
        items.push(Piece::Shared(Arc::clone(&initializer.items)));
        blobs.extend(initializer.blobs.iter().map(Arc::clone));
        attachments.extend_from_slice(&initializer.attachments);
    }
    (items, blobs, attachments)
}

fn launch(common: &Common, values: &Values, events: u8) -> Result<Launched, Error> {
    let settings = &common.settings;
    let (items, blobs, attachments) = beginning(settings, values, events);
    let order = Order {
        dispatch: settings.dispatch,
        environment: settings.environment.clone(),
        stdin: settings.stdin.duplicate().map_err(handle::not_started)?,
        stdout: settings.stdout.duplicate().map_err(handle::not_started)?,
        stderr: settings.stderr.duplicate().map_err(handle::not_started)?,
        outbox: Outbox::of_shared(Kind::Worker, items, blobs, attachments),
        shared: Ring::memory(),
    };
    settings.start_method.launcher().launch(order).map_err(handle::not_started)
}

/// One worker, from its start to its end.
struct Life<'a> {
    common: &'a Common,
    seat: &'a Seat,
    is_ready: bool,
    started: Instant,
}

/// How a worker's life went on.
enum Step {
    Wait(Option<Instant>),
    /// Others give it its tasks and take the answers: see `direct`.
    Blind,
    /// There is more to do at once.
    Again,
    /// Nothing is left for it to do.
    Leave,
}

impl Life<'_> {
    fn run(mut self, driver: Driver) {
        let driver = Arc::new(Mutex::new(driver));
        self.seat.seat_worker(Some(Arc::clone(&driver)));
        let mut deliveries = Deliveries::new();
        let mut seen = 0;
        let end = loop {
            let mut locked = lock(&driver);
            let step = self.step(&mut locked, &mut deliveries, &mut seen);
            self.seat.tasks.store(locked.open(), Ordering::Release);
            let ((watch, stream), interest) = (locked.peer.ends(), locked.interest());
            let is_attended = locked.is_attended();
            if matches!(step, Ok(Step::Leave) | Err(_)) {
                locked.refuse();
            }
            let heard = locked.take_heard();
            drop(locked);
            heard.tell();
            self.common.deliver(std::mem::take(&mut deliveries));
            let (stream, until) = match step {
                Ok(Step::Again) => continue,
                Ok(Step::Leave) => break None,
                Ok(Step::Blind) => (None, Instant::now().checked_add(BLIND)),
                Ok(Step::Wait(until)) if is_attended => {
                    let soon = Instant::now() + BLIND;
                    (None, Some(until.map_or(soon, |until| until.min(soon))))
                }
                Ok(Step::Wait(until)) => (stream.as_deref().map(|stream| (stream, interest)), until),
                Err(end) => break Some(end),
            };
            if let Err(error) = sys::wait_or_wake(&watch, stream, Some(&self.seat.waker), until) {
                break Some(End::Unwatchable(error));
            }
        };
        self.seat.seat_worker(None);
        let mut locked = lock(&driver);
        locked.refuse();
        self.finish(&mut locked, end, deliveries);
    }

    fn step(&mut self, driver: &mut Driver, deliveries: &mut Deliveries, seen: &mut u64) -> Result<Step, End> {
        if self.common.must_leave() {
            return Err(End::Dismissed(self.common.why_ended()));
        }
        let is_attended = driver.is_attended();
        let has_more = driver.turn(deliveries, is_attended)?;
        let now = Instant::now();
        if !self.is_ready {
            self.begin(driver, now)?;
        }
        if !self.is_ready {
            return Ok(if has_more { Step::Again } else { Step::Wait(self.start_deadline()) });
        }
        let usual = self.common.settings.task_timeout;
        driver.check(now, usual)?;
        self.cancel(driver, seen, deliveries)?;
        // What it gives away it does not take again before others have had the time to.
        let may_go_on = self.share(driver, now) || self.feed(driver, now);
        if driver.open() == 0 && (!may_go_on || self.common.should_leave(self.seat)) {
            return Ok(Step::Leave);
        }
        if has_more {
            return Ok(Step::Again);
        }
        if driver.open() == 0 && self.seat.was_attended() {
            return Ok(Step::Blind);
        }
        let look = match driver.hold_up(now) {
            HoldUp::None | HoldUp::Stuck => None,
            // It is about to begin: whether others wait behind it can be told then.
            HoldUp::NotBegun(left) if driver.open() > 1 => Some(now + left.min(HOLD_UP)),
            HoldUp::NotBegun(left) => Some(now + left),
            HoldUp::For(since) => Some(now + since.clamp(HOLD_UP, SELDOM)),
        };
        Ok(Step::Wait([look, driver.deadline(now, usual)].into_iter().flatten().min()))
    }

    fn start_deadline(&self) -> Option<Instant> {
        self.started.checked_add(self.common.settings.initializer_timeout)
    }

    /// Whether the worker has begun, and how that went.
    fn begin(&mut self, driver: &mut Driver, now: Instant) -> Result<(), End> {
        if let Some(frame) = driver.take_begun() {
            let begun = match (frame.kind, &self.common.settings.initializer) {
                (Kind::Value, None) => Ok(()),
                (Kind::Value, Some(initializer)) => (initializer.judge)(&frame.items, frame.blobs, frame.attachments),
                _ => Err(handle::failure(&frame.items, frame.blobs)),
            };
            begun.map_err(|error| End::Unfit(self.in_initializer(error)))?;
            self.is_ready = true;
            driver.span.begins(None);
            self.seat.process.store(driver.id, Ordering::Release);
        } else if self.start_deadline().is_some_and(|deadline| deadline <= now) {
            let limit = self.common.settings.initializer_timeout;
            return Err(End::Unfit(self.in_initializer(texts::initializer_too_slow(driver.id, limit))));
        }
        Ok(())
    }

    /// What it has said of its beginning tells more than how it has ended.
    fn last_said(&mut self, driver: &mut Driver, end: End) -> End {
        match driver.take_begun() {
            Some(frame) if !self.is_ready && frame.kind == Kind::Failure => {
                End::Unfit(self.in_initializer(handle::failure(&frame.items, frame.blobs)))
            }
            _ => end,
        }
    }

    fn in_initializer(&self, error: Error) -> Error {
        match &self.common.settings.initializer {
            Some(initializer) => error.in_entry(initializer.entry.name()),
            None => error,
        }
    }

    /// Stops what was cancelled.
    fn cancel(&mut self, driver: &mut Driver, seen: &mut u64, deliveries: &mut Deliveries) -> Result<(), End> {
        let cancellations = self.common.cancellations.load(Ordering::Acquire);
        if std::mem::replace(seen, cancellations) == cancellations {
            return Ok(());
        }
        let (jobs, must_end) = driver.cancel();
        let (gone, kept): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.bundle.mailbox.is_unwanted());
        gone.into_iter().for_each(|job| job.fail(|| texts::cancelled(None), deliveries));
        self.common.give_back(kept);
        if must_end { Err(End::Cancelled) } else { Ok(()) }
    }

    /// Gives tasks away that wait behind a long one, or while another worker has nothing to do. `false` if there are none.
    fn share(&mut self, driver: &mut Driver, now: Instant) -> bool {
        let jobs = match driver.hold_up(now) {
            HoldUp::Stuck => driver.mute(now),
            HoldUp::For(since) if since >= LONG || since >= HOLD_UP && self.common.is_hungry() => driver.take_back(),
            _ => return false,
        };
        let has_some = !jobs.is_empty();
        self.common.give_back(jobs);
        has_some
    }

    /// Gives the worker what it may have. `false` if it must not have any more.
    fn feed(&mut self, driver: &mut Driver, now: Instant) -> bool {
        let (open, depth) = (driver.open(), driver.depth());
        let left = match self.common.settings.max_tasks_per_worker {
            Some(most) => usize::try_from(most.saturating_sub(driver.given())).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        if left == 0 {
            return false;
        }
        if driver.is_mute() || open > depth / 2 || open > 0 && driver.runs_for(now) >= LONG {
            return true;
        }
        let mut jobs = Vec::new();
        self.common.take(self.seat, (depth - open).min(left), open, &mut jobs);
        if driver.give(&mut jobs) {
            return true;
        }
        // They need another worker than this one.
        self.common.give_back(jobs);
        false
    }

    /// Whose fault it is that it was of no use.
    fn fault(&self, driver: &Driver) -> Fault {
        let has_initializer = self.common.settings.initializer.is_some();
        match driver.has_entered_own() {
            Some(true) if !self.is_ready || has_initializer => Fault::Own,
            None if has_initializer => Fault::Own,
            _ => Fault::Start,
        }
    }

    fn finish(mut self, driver: &mut Driver, end: Option<End>, mut deliveries: Deliveries) {
        self.common.not_idle(self.seat);
        let end = match end {
            Some(End::LostConnection) => match driver.ends_soon(Instant::now() + SOON) {
                Some(ended) => Some(End::Process(ended)),
                None => Some(End::LostConnection),
            },
            Some(end) => Some(end),
            None => {
                // One that does not is killed below.
                driver.dismiss(Instant::now() + GRACE);
                None
            }
        };
        let ended = driver.finish(&mut deliveries);
        driver.take_heard().tell();
        let end = end.map(|end| self.last_said(driver, end));
        let was_useful = self.is_ready
            && (driver.answered() > 0 || driver.open() > 0 || self.started.elapsed() > USEFUL || end.is_none());
        let again = match &end {
            Some(end) => driver.settle(end, ended, &mut deliveries),
            None => Vec::new(),
        };
        self.seat.process.store(0, Ordering::Release);
        self.seat.tasks.store(0, Ordering::Release);
        self.common.give_back(again);
        self.common.deliver(deliveries);
        let error = match end {
            _ if was_useful => return self.common.works(),
            Some(End::Dismissed(_)) | None => return,
            Some(End::Unfit(error)) => match ended {
                Some(sys::Ended::With(status)) if error.exit_status().is_none() => error.with_status(status),
                _ => error,
            },
            Some(end) => {
                let error = driver.error(&end, ended);
                if self.is_ready { error } else { self.in_initializer(error) }
            }
        };
        if !self.is_ready {
            driver.span.begins(Some(&error));
        }
        self.common.failed_to_start(error, self.fault(driver));
    }
}
