//! What an agent says to the pool, and hears of it: the streams that were its standard ones.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, IsTerminal as _, Read, Write as _};
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{EXIT_ABANDONED, EXIT_REFUSED};
use crate::child::{self, complain};
use crate::error::{Error, ErrorKind};
use crate::link::{Frame, Inbox, Outbox, Progress};
use crate::pool::engine::texts;
use crate::pool::letters::{Content, Letter};
use crate::pool::mailbox::Mailbox;
use crate::sys::Receive;
use crate::wire::node::{MAGIC, ValuesHead, encode_values};
use crate::wire::{AnswerHead, Blob, Kind, NodeKind, Packed, TaskRecord};

/// How much of answers goes into one frame.
const MOST_BYTES: usize = 256 << 10;

/// Whether the worker of the task has vanished, so that nobody knows how far it came.
pub(super) fn is_loss(error: &Error) -> bool {
    // The kinds of what a task has answered are others.
    matches!(error.kind(), ErrorKind::Exited | ErrorKind::Signaled)
}

/// What was standard output.
pub(super) struct Output(Mutex<Said>);

struct Said {
    file: File,
    has_begun: bool,
}

impl Output {
    /// A terminal is told at once what shows the other side that it is one: orders hardly come through it.
    pub(super) fn new(mut file: File) -> Self {
        let has_begun = file.is_terminal();
        if has_begun && file.write_all(&MAGIC).is_err() {
            exit(EXIT_ABANDONED);
        }
        Self(Mutex::new(Said { file, has_begun }))
    }

    /// Sends a frame. Where nobody listens there is nothing left to do.
    pub(super) fn send(&self, mut frame: Outbox) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Said { file, has_begun } = &mut *said;
        let sent = if std::mem::replace(has_begun, true) {
            frame.pump(|pieces, _| file.write_vectored(pieces)).map(drop)
        } else {
            // In one piece: a link may hold back what comes behind it.
            let mut bytes = MAGIC.to_vec();
            frame.pump(|pieces, _| bytes.write_vectored(pieces)).and_then(|_| file.write_all(&bytes))
        };
        if sent.is_err() {
            exit(EXIT_ABANDONED);
        }
    }

    pub(super) fn send_items(&self, kind: NodeKind, items: Vec<u8>) {
        self.send(Outbox::new(Kind::Node(kind), &[], Packed { items, ..Packed::default() }));
    }

    /// Many in one frame, but for long ones.
    pub(super) fn send_answers(&self, letters: Vec<Letter>, runs: &Runs) {
        let (mut heads, mut bytes) = (Vec::new(), Vec::new());
        for Letter { first, count, content } in letters {
            runs.ended(first, count);
            match content {
                Content::Values { answers, mut at, .. } => {
                    heads.push(ValuesHead { first, count: count as u64 });
                    for _ in 0..count {
                        let (answer, next) = answers.get(at).expect("it was there when the letter was written");
                        at = next;
                        TaskRecord(answer.body).encode(&mut bytes);
                    }
                }
                Content::Long { attachments, .. } if !attachments.is_empty() => {
                    self.send_error(first, &texts::result_not_carried());
                }
                // Its head is that of an answer of the worker.
                Content::Long { mut items, start: AnswerHead::LEN, blobs, .. } => {
                    items[..AnswerHead::LEN].copy_from_slice(&AnswerHead { task: first, failed: false }.encode());
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    self.send(Outbox::new(
                        Kind::Node(NodeKind::Long),
                        &[],
                        Packed { items, blobs, ..Packed::default() },
                    ));
                }
                Content::Long { items, start, blobs, .. } => {
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    let packed = Packed { items: items[start..].to_vec(), blobs, ..Packed::default() };
                    let head = AnswerHead { task: first, failed: false }.encode();
                    self.send(Outbox::new(Kind::Node(NodeKind::Long), &head, packed));
                }
                Content::Failed(error) => self.send_error(first, &error),
            }
            if bytes.len() >= MOST_BYTES {
                self.send_items(NodeKind::Answers, encode_values(&heads, &bytes));
                heads.clear();
                bytes.clear();
            }
        }
        if !heads.is_empty() {
            self.send_items(NodeKind::Answers, encode_values(&heads, &bytes));
        }
    }

    pub(super) fn send_error(&self, number: u64, error: &Error) {
        let packed = child::pack_error(error);
        if is_loss(error) {
            self.send(Outbox::new(Kind::Node(NodeKind::Lost), &number.to_le_bytes(), packed));
        } else {
            let head = AnswerHead { task: number, failed: true }.encode();
            self.send(Outbox::new(Kind::Node(NodeKind::Long), &head, packed));
        }
    }
}

/// The runs of tasks that the pool has sent, by the numbers of their first tasks, so that it can take back what it has said
/// of them.
#[derive(Debug, Default)]
pub(super) struct Runs(Mutex<BTreeMap<u64, Run>>);

#[derive(Debug)]
struct Run {
    /// How many tasks it has had, and how many of them have not ended.
    count: u64,
    left: usize,
    mailbox: Arc<Mailbox>,
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, number: u64, count: usize, mailbox: Arc<Mailbox>) {
        self.lock().insert(number, Run { count: count as u64, left: count, mailbox });
    }

    /// So many tasks of a run have ended, from this number on.
    pub(super) fn ended(&self, number: u64, count: usize) {
        let mut runs = self.lock();
        let Some((&first, run)) = runs.range_mut(..=number).next_back() else { return };
        run.left = run.left.saturating_sub(count);
        if run.left == 0 {
            runs.remove(&first);
        }
    }

    /// Whether it is that of one of them.
    pub(super) fn has(&self, mailbox: &Arc<Mailbox>) -> bool {
        self.lock().values().any(|run| Arc::ptr_eq(&run.mailbox, mailbox))
    }

    /// All are stopped, and none need begin.
    pub(super) fn stop_all(&self) {
        self.lock().values().for_each(|run| run.mailbox.cancel());
    }

    /// The tasks of the run with this one need not begin; and are stopped if they run. Nothing if all of them have ended:
    /// whoever says so may not have heard that yet, and the run before is another one.
    pub(super) fn stop(&self, number: u64, cancels: bool) {
        let runs = self.lock();
        let Some((first, run)) = runs.range(..=number).next_back() else { return };
        if number - first < run.count {
            if cancels { run.mailbox.cancel() } else { run.mailbox.abandon() }
        }
    }
}

/// When something has come from the pool, and must have.
#[derive(Debug)]
pub(super) struct Heard {
    started: Instant,
    /// In microseconds from the start.
    last: AtomicU64,
    /// How long nothing may come, in microseconds.
    limit: AtomicU64,
    is_ordered: AtomicBool,
}

impl Heard {
    /// For orders it waits so long.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            limit: AtomicU64::new(microseconds(limit)),
            is_ordered: AtomicBool::new(false),
        }
    }

    /// The orders have come, and say how long there may be silence.
    pub(super) fn has_orders(&self, limit: Duration) {
        self.limit.store(microseconds(limit), Ordering::Release);
        self.is_ordered.store(true, Ordering::Release);
    }

    pub(super) fn is_ordered(&self) -> bool {
        self.is_ordered.load(Ordering::Acquire)
    }

    pub(super) fn limit(&self) -> Duration {
        Duration::from_micros(self.limit.load(Ordering::Acquire))
    }

    pub(super) fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_micros(self.last.load(Ordering::Acquire)))
    }
}

fn microseconds(time: Duration) -> u64 {
    time.as_micros().try_into().unwrap_or(u64::MAX)
}

pub(super) struct Hearing(pub(super) File, pub(super) Arc<Heard>);

/// No handles come this way.
impl Receive for BufReader<Hearing> {}

impl Read for Hearing {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buf)?;
        self.1.last.store(microseconds(self.1.started.elapsed()), Ordering::Release);
        Ok(count)
    }
}

/// What was standard input.
pub(super) struct Source {
    pub(super) input: BufReader<Hearing>,
    pub(super) inbox: Inbox,
}

impl Source {
    /// The next frame; `None` if nothing more comes.
    pub(super) fn next(&mut self) -> Option<Frame> {
        loop {
            match self.inbox.pump(&mut self.input, usize::MAX) {
                Ok(Progress::Complete(frame)) => return Some(frame),
                Ok(Progress::Pending | Progress::More) => {}
                Ok(Progress::Closed { .. }) => return None,
                Err(error) => {
                    complain(format_args!("the agent of a pool ends: what it was sent cannot be read: {error}"));
                    exit(EXIT_REFUSED);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_what_has_ended_stops_nothing_else() {
        let runs = Runs::default();
        let mailboxes: [Arc<Mailbox>; 3] = Default::default();
        for (number, mailbox) in [0, 3, 10].into_iter().zip(&mailboxes) {
            runs.begin(number, 3, Arc::clone(mailbox));
        }
        runs.ended(4, 2);
        runs.ended(3, 1);
        (3..10).for_each(|number| runs.stop(number, true));
        assert!(!mailboxes.iter().any(|mailbox| mailbox.is_unwanted()));
        // One of its tasks has ended, but not all.
        runs.ended(12, 1);
        runs.stop(12, false);
        runs.stop(2, true);
        let are = |is: fn(&Mailbox) -> bool| [0, 1, 2].map(|run: usize| is(&mailboxes[run]));
        assert_eq!(are(Mailbox::is_cancelled), [true, false, false]);
        assert_eq!(are(Mailbox::is_abandoned), [false, false, true]);
    }
}
