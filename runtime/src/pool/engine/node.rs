//! The thread of one node: it has the program started there, gives it tasks, and starts it again when it was lost.

mod end;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use end::{End, Failure};

use super::answers::{self, Flight};
use super::credit::Credit;
use super::place::Place;
use super::remote::{Event, Remote};
use super::texts;
use crate::handle;
use crate::inherit::Values;
use crate::launch::StartMethod;
use crate::link::{Frame, Outbox, Piece};
use crate::pool::builder::Settings;
use crate::pool::common::{Common, Next, Seat};
use crate::pool::job::Job;
use crate::pool::letters::Deliveries;
use crate::pool::seat;
use crate::sys;
use crate::trace::Heard;
use crate::wire::node::{Hello, Orders, decode_numbers, encode_numbers};
use crate::wire::{Kind, NodeKind, Packed};

/// How often in a row a node may fail before it is of use until it is given up.
const FAILURES: u32 = 5;

/// The pause after the first such failure; twice as long after each further one, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// More than that is not put in front of a slow link.
const MOST_UNWRITTEN: usize = 4 << 20;

/// How long tasks may wait at a node while another one has nothing to do: behind some that do not end, and if it goes on as
/// it did.
const HOLD_UP: Duration = Duration::from_millis(20);
const WORTH_SHARING: Duration = Duration::from_millis(5);

/// A node that has so many times what it may have gives the rest back. Not twice as much: how long tasks take goes up and down.
const TOO_MUCH: usize = 4;

/// How soon something is said after something was heard, where that may matter: see `acknowledges`.
const ACKNOWLEDGE: Duration = Duration::from_millis(1);

/// For how long a node that has given tasks back leaves them to others.
const MODEST: Duration = Duration::from_millis(2);

/// What the thread does from its start to its end.
pub(in crate::pool) fn run(common: &Common, seat: &Arc<Seat>, place: &Place) {
    let mut failures: u32 = 0;
    let mut not_before = None;
    let mut is_first = true;
    loop {
        let values = match common.next(seat) {
            Next::Leave => return,
            Next::Start(values) => values,
            // That is how workers of this machine are kept from failing too often.
            Next::Wait(until) => {
                let _ = sys::wait_any([].iter(), &seat.waker, Some(until));
                continue;
            }
        };
        if not_before.is_some_and(|time| time > Instant::now()) {
            // An error is no more than a shorter wait.
            let _ = sys::wait_any([].iter(), &seat.waker, not_before);
            continue;
        }
        if !std::mem::take(&mut is_first) {
            common.restarted();
        }
        let Some(Failure { error, was_useful, is_final }) = live(common, seat, place, values) else { continue };
        failures = if was_useful { 1 } else { failures + 1 };
        if failures >= FAILURES || is_final {
            common.give_up(seat, |is_last| match is_last {
                true => texts::broken(failures, &error),
                false => error.copy(),
            });
            return;
        }
        let pause = (FIRST_PAUSE * 2_u32.pow(failures - 1)).min(LAST_PAUSE);
        not_before = Instant::now().checked_add(pause);
    }
}

/// Starts the program on the node, and lives with it. `None` if it has ended because nothing was left to do.
fn live(common: &Common, seat: &Arc<Seat>, place: &Place, values: Arc<Values>) -> Option<Failure> {
    let remote = match Remote::start(place, seat) {
        Ok(remote) => remote,
        Err(error) => return Some(Failure { error, was_useful: false, is_final: false }),
    };
    remote.send(orders(common, place, &values));
    let now = Instant::now();
    let node = Node {
        common,
        seat,
        place,
        remote,
        name: place.name.clone(),
        values,
        flight: Flight::default(),
        credit: None,
        started: now,
        beat: now,
        heard: None,
        answered: 0,
        yielding: false,
        yielded: None,
        yields_after: None,
        progress: now,
        cancellations: 0,
        events: Heard::default(),
    };
    node.live()
}

/// What the node's pool is to be like.
fn orders(common: &Common, place: &Place, values: &Values) -> Outbox {
    let settings = &common.settings;
    let mut pieces = vec![Piece::Owned(orders_of(settings, place.heartbeat).encode())];
    let (start, blobs, _) = seat::beginning(settings, values, settings.events());
    pieces.extend(start);
    Outbox::of_shared(Kind::Node(NodeKind::Orders), pieces, blobs, Vec::new())
}

/// The part of it that is for the agent itself.
pub(super) fn orders_of(settings: &Settings, heartbeat: Duration) -> Orders {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1);
    let (clears_environment, environment) = settings.environment.changes();
    Orders {
        build: sys::portable_build_id(),
        silence: nanos(heartbeat),
        workers: settings.workers_of_node,
        initializer_timeout: nanos(settings.initializer_timeout),
        task_timeout: settings.task_timeout.map(nanos),
        max_tasks: settings.max_tasks_per_worker,
        forks: settings.start_method == StartMethod::Zygote,
        silent: [&settings.stdout, &settings.stderr].map(|stream| stream.is_null()),
        clears_environment,
        environment,
        arguments: std::env::args_os().map(std::ffi::OsString::into_encoded_bytes).collect(),
    }
}

/// One node, from its start to its end.
struct Node<'a> {
    common: &'a Common,
    seat: &'a Seat,
    place: &'a Place,
    remote: Remote,
    name: String,
    /// The inherited statics as the node has them.
    values: Arc<Values>,
    flight: Flight,
    /// `None` before its hello.
    credit: Option<Credit>,
    started: Instant,
    /// When something was sent last, and when the first thing has come after that.
    beat: Instant,
    heard: Option<Instant>,
    answered: u64,
    /// It was asked to give tasks back, and has not yet.
    yielding: bool,
    /// When it has done so last.
    yielded: Option<Instant>,
    /// It is not asked again before.
    yields_after: Option<Instant>,
    /// When it has answered or was given something last.
    progress: Instant,
    cancellations: u64,
    /// The events that have come.
    events: Heard,
}

impl Node<'_> {
    fn live(mut self) -> Option<Failure> {
        let end = loop {
            match self.step() {
                Ok(until) => {
                    if let Err(error) = sys::wait_any([].iter(), &self.seat.waker, Some(until)) {
                        break End::Lost(format!("it can no longer be watched: {error}"));
                    }
                }
                Err(end) => break end,
            }
        };
        self.finish(end)
    }

    /// Does what there is to do, and says until when there is nothing else.
    fn step(&mut self) -> Result<Instant, End> {
        if self.common.must_leave() {
            return Err(End::Dismissed(self.common.why_ended()));
        }
        let mut deliveries = Deliveries::new();
        let heard = self.hear(&mut deliveries);
        self.note_tasks();
        std::mem::take(&mut self.events).tell();
        self.common.deliver(deliveries);
        heard?;
        let now = Instant::now();
        let Some(workers) = self.credit.as_ref().map(Credit::workers) else {
            return self.wait_for_hello(now);
        };
        if self.remote.silence() > self.place.heartbeat {
            return Err(End::Lost(texts::silent(self.place.heartbeat)));
        }
        self.stop_unwanted();
        self.feed(workers, now);
        self.share(workers, now);
        if self.flight.len() == 0 && self.common.should_leave(self.seat) {
            return Err(End::Done);
        }
        let pause = self.place.heartbeat / 4;
        let beat = match self.acknowledges(workers) {
            Some(heard) => heard + ACKNOWLEDGE,
            None => self.beat + pause,
        };
        if beat <= now && self.remote.unwritten() == 0 {
            self.send(NodeKind::Beat, Vec::new());
        }
        let look = now + if self.flight.len() > workers { pause.min(HOLD_UP) } else { pause };
        Ok(if beat > now { look.min(beat) } else { look })
    }

    /// Since when the node waits for a word: it has said something, and what it says next may be held back by the link until
    /// it hears something itself (see `agent/answering`). That matters where little is left to do.
    fn acknowledges(&self, workers: usize) -> Option<Instant> {
        let open = self.flight.len();
        self.heard.filter(|_| open > 0 && (open <= workers || !self.common.has_waiting()))
    }

    fn wait_for_hello(&self, now: Instant) -> Result<Instant, End> {
        if self.common.should_leave(self.seat) {
            return Err(End::Done);
        }
        match self.place.start_timeout {
            Some(limit) if now.duration_since(self.started) >= limit => Err(End::Late(limit)),
            // A time that no clock can express is for ever.
            limit => {
                Ok(limit.and_then(|limit| self.started.checked_add(limit)).unwrap_or(now + Duration::from_secs(60)))
            }
        }
    }

    /// Takes what has come from the node.
    fn hear(&mut self, deliveries: &mut Deliveries) -> Result<(), End> {
        let before = self.answered;
        let heard = loop {
            match self.remote.next() {
                None => break Ok(()),
                Some(Event::Frame(frame)) => {
                    self.heard.get_or_insert_with(Instant::now);
                    if let Err(end) = self.accept(frame, deliveries) {
                        break Err(end);
                    }
                }
                Some(Event::End(why)) => break Err(End::Lost(why.unwrap_or_default())),
            }
        };
        let count = (self.answered - before) as usize;
        if count > 0 {
            self.progress = Instant::now();
            if let Some(credit) = &mut self.credit {
                credit.answered(count, self.progress);
            }
        }
        heard
    }

    fn accept(&mut self, frame: Frame, deliveries: &mut Deliveries) -> Result<(), End> {
        let damaged = || End::Lost("what it sent cannot be read".into());
        match (frame.kind, &self.credit) {
            (Kind::Node(NodeKind::Beat), Some(_)) => Ok(()),
            (Kind::Node(NodeKind::Hello), None) => {
                let hello = Hello::decode(&frame.items).ok_or_else(damaged)?;
                let workers = hello.workers as usize;
                if !hello.node.is_empty() {
                    self.name = format!("node {}", hello.node);
                }
                self.credit = Some(Credit::new(workers));
                self.seat.width.store(workers, Ordering::Release);
                self.seat.process.store(self.remote.id(), Ordering::Release);
                Ok(())
            }
            (Kind::Node(kind @ (NodeKind::Answers | NodeKind::Long | NodeKind::Lost)), Some(_)) => {
                let place = answers::From { common: self.common, node: &self.name };
                let before = self.flight.len();
                let again = self.flight.accept(kind, frame, &place, deliveries).ok_or_else(damaged)?;
                self.answered += (before - self.flight.len()) as u64;
                self.common.give_back(again);
                Ok(())
            }
            (Kind::Node(NodeKind::Yielded), Some(_)) => {
                let numbers = decode_numbers(&frame.items).ok_or_else(damaged)?;
                let now = Instant::now();
                self.yielding = false;
                self.yielded = Some(now);
                self.yields_after = Some(now + if numbers.is_empty() { HOLD_UP } else { MODEST });
                let mut jobs = Vec::new();
                let are_its = numbers.chunks(2).all(|run| {
                    let job = match *run {
                        [number, count] => {
                            usize::try_from(count).ok().and_then(|count| self.flight.take(number, count))
                        }
                        _ => None,
                    };
                    job.map(|job| jobs.push(job)).is_some()
                });
                // What was taken out before something that makes no sense has no other way back.
                self.common.give_back(jobs);
                if are_its { Ok(()) } else { Err(damaged()) }
            }
            (Kind::Value, _) => match &self.common.settings.initializer {
                // The initializer has failed in a worker of the node; what it said can only be understood here.
                Some(initializer) => match (initializer.judge)(&frame.items, frame.blobs, Vec::new()) {
                    Err(error) => Err(End::Unfit(error.in_entry(initializer.entry.name()))),
                    Ok(()) => Err(damaged()),
                },
                None => Err(damaged()),
            },
            #[cfg(feature = "tracing")]
            // Workers may be quicker than the hello of their agent.
            (Kind::Node(NodeKind::Event), _) => {
                let (span, event) = self.flight.event(&frame).ok_or_else(damaged)?;
                self.events.push(span, event);
                Ok(())
            }
            (Kind::Failure, _) => Err(End::Unfit(handle::failure(&frame.items, frame.blobs))),
            _ => Err(damaged()),
        }
    }

    fn note_tasks(&self) {
        self.seat.tasks.store(self.flight.len(), Ordering::Release);
    }

    /// Tells the node which of its tasks nobody wants any more.
    fn stop_unwanted(&mut self) {
        let cancellations = self.common.cancellations.load(Ordering::Acquire);
        if std::mem::replace(&mut self.cancellations, cancellations) == cancellations {
            return;
        }
        for (kind, numbers) in [NodeKind::Stop, NodeKind::Forget].into_iter().zip(self.flight.newly_unwanted()) {
            if !numbers.is_empty() {
                self.send(kind, encode_numbers(&numbers));
            }
        }
    }

    /// Gives the node what it may have.
    fn feed(&mut self, workers: usize, now: Instant) {
        let depth = self.credit.as_ref().map_or(0, Credit::depth);
        // Not one by one, where many go: each frame costs both sides a wake-up.
        if self.flight.len() > depth / 2 && self.flight.len() >= workers {
            return;
        }
        let is_modest = self.yielded.is_some_and(|time| now.saturating_duration_since(time) < MODEST);
        if is_modest && self.flight.len() >= workers {
            return;
        }
        // What it may have is settled once: large tasks go one by one, and must not be more of what waits for that.
        let mut left = depth.saturating_sub(self.flight.len());
        while left > 0 {
            if self.remote.unwritten() >= MOST_UNWRITTEN {
                self.common.not_idle(self.seat);
                break;
            }
            let open = self.flight.len();
            let mut jobs = Vec::new();
            left = self.common.take(self.seat, left, open, &mut jobs);
            if jobs.is_empty() {
                break;
            }
            if let (0, Some(credit)) = (open, &mut self.credit) {
                credit.begins(now);
            }
            self.give(jobs);
            self.progress = now;
        }
        self.note_tasks();
    }

    /// Sends tasks, which all have the same inherited statics.
    fn give(&mut self, jobs: Vec<Job>) {
        let Some(first) = jobs.first() else { return };
        let then = Arc::clone(&first.bundle.values);
        let mut items = if Arc::ptr_eq(&self.values, &then) { Values::nothing() } else { then.all_since(&self.values) };
        self.values = then;
        let id = self.remote.id();
        let (tasks, blobs) = self.flight.board(jobs, id);
        items.push(Piece::Owned(tasks));
        (self.beat, self.heard) = (Instant::now(), None);
        let frame = Outbox::of_shared(Kind::Node(NodeKind::Jobs), items, blobs, Vec::new());
        self.remote.send_tasks(frame, self.flight.next());
    }

    /// Has the node give back what waits there while another one has nothing to do, and what was far too much, as tasks
    /// take longer than they did: all that it has may be lost with it.
    fn share(&mut self, workers: usize, now: Instant) {
        let (open, waiting) = (self.flight.len(), self.flight.len().saturating_sub(workers));
        let may_ask = waiting > 0 && !self.yielding && self.yields_after.is_none_or(|time| time <= now);
        let Some(credit) = self.credit.as_ref().filter(|_| may_ask) else { return };
        let held_up = now.saturating_duration_since(self.progress) >= HOLD_UP;
        let share = if (held_up || credit.time_for(waiting) >= WORTH_SHARING) && self.common.is_hungry() {
            // Where it gets on by itself it does its part.
            if held_up { waiting } else { waiting.div_ceil(2) }
        } else if open / TOO_MUCH > credit.depth() {
            open - credit.depth()
        } else {
            return;
        };
        self.yielding = true;
        self.send(NodeKind::Yield, (share as u32).to_le_bytes().to_vec());
    }

    fn send(&mut self, kind: NodeKind, items: Vec<u8>) {
        (self.beat, self.heard) = (Instant::now(), None);
        self.remote.send(Outbox::new(Kind::Node(kind), &[], Packed { items, ..Packed::default() }));
    }
}
