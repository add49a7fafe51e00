//! Being a worker of a pool: running the tasks that come, one after another, until none can come any more.
//!
//! An answer goes into the memory that pool and worker share, where it is safe whatever happens next; only where there is
//! no room (or no such memory) it goes through the connection at once. Of those in memory the pool is told by a bell: half
//! way through the tasks at hand, so that it can send more in time, and at their end.

use std::io::Write as _;
use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

use super::reply::{self, Delivery, complain};
use super::{events, invoke, panic};
use crate::error::{Error, ErrorKind};
use crate::inherit;
use crate::link::{self, Answer, Frame, Inbox, Progress, Ring};
use crate::registry::{self, Entry};
use crate::shared;
use crate::sys::{self, Adopted, Confinement};
use crate::wire::{
    AnswerHead, Arrived, CallHead, EXIT_UNREPORTED, Kind, Packed, RunHead, TaskRecord, TasksHead, WorkerHead,
};

/// The exit status of a worker that was told nonsense, or cannot begin.
const EXIT_REFUSED: i32 = 70;

/// How long the shared slices of the last task stay mapped when there is no next one.
const LINGER: Duration = Duration::from_millis(10);

/// Begins with the initializer, if there is one, and runs tasks until the connection closes.
pub(super) fn serve(first: Frame, mut adopted: Adopted) -> ! {
    let ring = adopted.shared.take().and_then(Ring::new);
    adopted.prepare_to_stay();
    let adopted = Arc::new(adopted);
    panic::watch_for(&adopted);
    let begun = begin(first, &adopted);
    flush();
    match begun {
        Ok(packed) => must_deliver(reply::send(Kind::Value, &[], packed, &adopted)),
        Err(error) => {
            reply::send(Kind::Failure, &[], reply::pack_error(&error), &adopted);
            exit(EXIT_REFUSED);
        }
    }
    let mut worker = Worker { adopted, ring, entries: Vec::new(), unrung: 0 };
    let mut inbox = Inbox::default();
    loop {
        if shared::is_kept() && !worker.adopted.stream.comes_within(LINGER) {
            shared::forget();
        }
        match inbox.pump(&mut &worker.adopted.stream, usize::MAX) {
            Ok(Progress::Complete(frame)) if frame.kind == Kind::Tasks => worker.run(frame).unwrap_or_else(|| {
                complain(format_args!("a worker of a pool was sent tasks that it cannot read"));
                exit(EXIT_REFUSED)
            }),
            Ok(Progress::Pending | Progress::More) => {}
            Ok(Progress::Closed { partial: false }) => exit(0),
            _ => exit(EXIT_REFUSED),
        }
    }
}

/// Confines the process, puts inherited statics in place and runs the initializer, whose result is given.
fn begin(frame: Frame, adopted: &Arc<Adopted>) -> Result<Packed, Error> {
    let Frame { items, blobs, attachments, .. } = frame;
    let damaged = || Error::new(ErrorKind::Protocol, "the worker's orders cannot be read");
    let (head, rest) = CallHead::decode(&items).ok_or_else(damaged)?;
    let (WorkerHead { memory, niceness, processors }, rest) = WorkerHead::decode(rest).ok_or_else(damaged)?;
    invoke::check_build(&head)?;
    invoke::enter_surroundings(&head)?;
    sys::confine(&Confinement { memory, processors, niceness }).map_err(|error| {
        Error::new(
            ErrorKind::Spawn,
            format!("the limits of the pool cannot be set in its worker: {error}; are they allowed here?"),
        )
        .with_source(error)
    })?;
    events::send_up_to(head.events, adopted);
    if head.name.is_empty() {
        inherit::restore(rest)?;
        return Ok(Packed::default());
    }
    let entry = invoke::find(&head).map_err(|error| error.in_entry(head.name.to_owned()))?;
    panic::now_runs(entry.name());
    invoke::guarded(entry, || invoke::call_with(entry, inherit::restore(rest)?, blobs, attachments))
}

struct Worker {
    adopted: Arc<Adopted>,
    ring: Option<Ring>,
    /// The entries that it was told of, by the numbers that the pool gives them.
    entries: Vec<Result<&'static Entry, String>>,
    /// How many answers are in memory, and tasks were taken back, since the last bell.
    unrung: u32,
}

impl Worker {
    /// Runs all tasks of a frame that were not taken back. `None` if the frame is none.
    fn run(&mut self, frame: Frame) -> Option<()> {
        let (TasksHead { first, count }, rest) = TasksHead::decode(&frame.items)?;
        let (statics, mut rest) = inherit::split(rest)?;
        if let Err(error) = inherit::restore_values(statics) {
            // A task has left one of them so that it cannot be set. Another worker begins afresh; none of these tasks
            // has begun.
            complain(format_args!("a worker of a pool is replaced: {error}"));
            exit(EXIT_REFUSED);
        }
        let (mut blobs, mut attachments) = (frame.blobs.into_iter(), frame.attachments);
        let (mut task, end) = (first, first.checked_add(count.into())?);
        while task < end {
            let (run, records, after) = RunHead::decode(rest, self.entries.len() as u32)?;
            rest = after;
            if let Some(new) = run.new {
                let found = registry::find(new.index, new.name, new.position).ok_or_else(|| new.name.to_owned());
                self.entries.push(found);
            }
            let blobs: Vec<_> = blobs.by_ref().take(run.blobs.into()).collect();
            let next = task.checked_add(run.count.into()).filter(|_| run.count > 0)?;
            // They are the last task's, which is alone in its run.
            let attachments = if next == end { std::mem::take(&mut attachments) } else { Vec::new() };
            self.run_all(run, task, records, (blobs, attachments), count / 2)?;
            task = next;
        }
        self.ring_the_bell();
        Some(())
    }

    /// Runs tasks of one entry, the first of which has this number, and rings the bell after so many answers. `None` if
    /// they cannot be read.
    fn run_all(
        &mut self,
        run: RunHead<'_>,
        first: u64,
        mut records: &[u8],
        (mut blobs, mut attachments): (Vec<Vec<u8>>, Vec<Arrived>),
        many: u32,
    ) -> Option<()> {
        let entry = self.entries[run.entry as usize].clone();
        if let Ok(entry) = &entry {
            panic::now_runs(entry.name());
        }
        for task in (first..).take(run.count as usize) {
            let (TaskRecord(arguments), after) = TaskRecord::decode(records)?;
            records = after;
            if self.ring.as_ref().is_some_and(|ring| !ring.begin(task)) {
                // The pool may wait for a sign that this process runs.
                self.unrung += 1;
                continue;
            }
            if !attachments.is_empty() {
                // The pool holds copies of the handles until it knows that this task will not go to another worker.
                self.unrung += 1;
                self.ring_the_bell();
            }
            let answer = match &entry {
                Ok(entry) => {
                    panic::forget_last();
                    events::now_runs(Some(task));
                    let (blobs, attachments) = (std::mem::take(&mut blobs), std::mem::take(&mut attachments));
                    shared::arguments_begin();
                    invoke::guarded(entry, || invoke::call_with(entry, arguments, blobs, attachments))
                }
                Err(name) => Err(invoke::unknown_entry().in_entry(name.clone())),
            };
            flush();
            // The answer, in shared memory, may be seen before what is written after it.
            reply::losses(&self.adopted);
            events::now_runs(None);
            self.answer(task, answer);
            if self.unrung > many {
                self.ring_the_bell();
            }
        }
        Some(())
    }

    fn answer(&mut self, task: u64, answer: Result<Packed, Error>) {
        if !self.adopted.is_ours() {
            complain(format_args!("a copy of a worker that a task has forked came to the task's end"));
            exit(EXIT_UNREPORTED);
        }
        let failed = answer.is_err();
        let packed = answer.unwrap_or_else(|error| reply::pack_error(&error));
        let is_short = packed.is_items_only();
        let short = Answer { task: task as u32, failed, body: &packed.items };
        if is_short && self.ring.as_mut().is_some_and(|ring| ring.push(short)) {
            self.unrung += 1;
            link::recycle(packed.items);
        } else {
            let head = AnswerHead { task, failed }.encode();
            must_deliver(reply::send(Kind::Answer, &head, packed, &self.adopted));
        }
    }

    fn ring_the_bell(&mut self) {
        if std::mem::take(&mut self.unrung) > 0 {
            must_deliver(reply::send(Kind::Bell, &[], Packed::default(), &self.adopted));
        }
    }
}

/// What a task has printed is there when its answer is.
fn flush() {
    // Where nobody reads it there is nobody to tell.
    let _ = std::io::stdout().flush();
}

fn must_deliver(delivery: Delivery) {
    match delivery {
        Delivery::Done => {}
        Delivery::NobodyListens => exit(0),
        Delivery::Impossible => exit(EXIT_UNREPORTED),
    }
}
