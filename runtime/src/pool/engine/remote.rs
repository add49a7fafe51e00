//! The link to one node: the command that reaches it, and the threads that read, write and listen.
//!
//! Pipes and threads, not the connection of a child: what is started is somebody else's program (ssh, srun, docker), which
//! expects ordinary streams. The threads end when their pipes do, and nobody waits for them: a pipe whose other end is kept
//! open by something out of reach may stay so.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::place::{Place, shown};
use super::texts;
use crate::error::Error;
use crate::link::{Frame, Inbox, Outbox, Progress};
use crate::pool::common::Seat;
use crate::sys::{self, Receive};
use crate::wire::node::{MAGIC, MAGIC_OF_A_TERMINAL};

/// How much a shell may greet before it counts as all there is.
const MOST_GARBAGE: usize = 64 << 10;

/// How much of what was complained of last is kept for errors.
const MOST_COMPLAINTS: usize = 2 << 10;

/// How many frames wait until they are looked at.
const MOST_FRAMES: usize = 64;

/// The stacks of the threads: they do little.
const STACK: usize = 256 << 10;

/// What has come from a node.
#[derive(Debug)]
pub(super) enum Event {
    Frame(Frame),
    /// Nothing more will come, and why; `None` if it has closed its output in order.
    End(Option<String>),
}

/// A frame that is to be written, and the number behind the last of its tasks; 0 if it has none.
type ToWrite = (Outbox, u64);

/// The link. Dropping it ends the command.
pub(super) struct Remote {
    child: Child,
    events: mpsc::Receiver<Event>,
    frames: Option<mpsc::Sender<ToWrite>>,
    shared: Arc<Shared>,
    command: String,
}

/// What the threads and the node's thread have in common.
struct Shared {
    seat: Arc<Seat>,
    started: Instant,
    /// When something has come, in milliseconds from the start.
    heard: AtomicU64,
    /// Bytes that are to be written.
    unwritten: AtomicUsize,
    /// All tasks before this number may have been written, at least in part. `None` if nothing more may be.
    begun: Mutex<Option<u64>>,
    /// The last of what the command, and those behind it, have complained of.
    complaints: Mutex<VecDeque<u8>>,
    has_said_all: AtomicBool,
}

impl Shared {
    fn begun(&self) -> MutexGuard<'_, Option<u64>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// Starts the command. The node's thread is woken through the seat.
    pub(super) fn start(place: &Place, seat: &Arc<Seat>) -> Result<Self, Error> {
        let program = &place.command[0];
        let mut command = Command::new(program);
        command.args(&place.command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| texts::no_command(&program.to_string_lossy(), error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let shared = Arc::new(Shared {
            seat: Arc::clone(seat),
            started: Instant::now(),
            heard: AtomicU64::new(0),
            unwritten: AtomicUsize::new(0),
            begun: Mutex::new(Some(0)),
            complaints: Mutex::default(),
            has_said_all: AtomicBool::new(false),
        });
        let (frames, to_write) = mpsc::channel();
        let (came, events) = mpsc::sync_channel(MOST_FRAMES);
        let remote =
            Self { child, events, frames: Some(frames), shared: Arc::clone(&shared), command: shown(&place.command) };
        let thread = |work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name("spawnsafe-node".into()).stack_size(STACK);
            sys::with_signals_blocked(|| thread.spawn(work)).map(drop).map_err(texts::no_thread)
        };
        let (reader, writer, listener) = (Arc::clone(&shared), Arc::clone(&shared), shared);
        if let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) {
            thread(Box::new(move || read(stdout, &came, &reader)))?;
            thread(Box::new(move || write(stdin, &to_write, &writer)))?;
            thread(Box::new(move || listen(stderr, &listener)))?;
        }
        Ok(remote)
    }

    /// The process of the command.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Has a frame written, in its turn.
    pub(super) fn send(&self, frame: Outbox) {
        self.send_tasks(frame, 0);
    }

    /// Has a frame written whose tasks are those before this number that no frame has had yet.
    pub(super) fn send_tasks(&self, frame: Outbox, behind: u64) {
        self.shared.unwritten.fetch_add(frame.len(), Ordering::AcqRel);
        if let Some(frames) = &self.frames {
            // If the thread has ended, so has the reader, and says so.
            let _ = frames.send((frame, behind));
        }
    }

    /// Begins to write nothing more. No byte was written of the tasks from this number on.
    pub(super) fn stop_writing(&self) -> u64 {
        // A second time there is nothing to tell.
        self.shared.begun().take().unwrap_or(u64::MAX)
    }

    /// How many bytes are still to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.shared.unwritten.load(Ordering::Acquire)
    }

    /// What has come next, if anything has.
    pub(super) fn next(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// How long nothing has come.
    pub(super) fn silence(&self) -> Duration {
        let heard = Duration::from_millis(self.shared.heard.load(Ordering::Acquire));
        self.shared.started.elapsed().saturating_sub(heard)
    }

    /// What was complained of last, as one line.
    pub(super) fn complaints(&self) -> String {
        let complaints = self.shared.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = complaints.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
    }

    /// Closes the node's input, which ends it, and waits for the command to end by itself until then.
    pub(super) fn leave(&mut self, until: Instant) {
        self.frames = None;
        while !self.has_ended() && Instant::now() < until {
            // It ends once in the life of a node: no reason for a waiter of its own.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether the command has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether the command has ended, and all that it has complained of is there.
    pub(super) fn is_over(&mut self) -> bool {
        self.shared.has_said_all.load(Ordering::Acquire) && self.has_ended()
    }

    /// How the command has ended, for people.
    pub(super) fn status(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.frames = None;
        // Both fail only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Notes when something comes.
struct Heard<'a>(ChildStdout, &'a Shared);

/// No handles come this way.
impl Receive for BufReader<Heard<'_>> {}

impl Read for Heard<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buf)?;
        let now = self.1.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        self.1.heard.store(now, Ordering::Release);
        Ok(count)
    }
}

fn read(stdout: ChildStdout, events: &mpsc::SyncSender<Event>, shared: &Shared) {
    let mut source = BufReader::with_capacity(128 << 10, Heard(stdout, shared));
    let end = find_magic(&mut source).and_then(|()| {
        let mut inbox = Inbox::default();
        loop {
            match inbox.pump(&mut source, usize::MAX) {
                Ok(Progress::Complete(frame)) => {
                    if events.send(Event::Frame(frame)).is_err() {
                        return Ok(());
                    }
                    shared.seat.waker.wake();
                }
                Ok(Progress::Pending | Progress::More) => {}
                Ok(Progress::Closed { partial: false }) => return Ok(()),
                Ok(Progress::Closed { partial: true }) => return Err("it ended in the middle of a frame".to_owned()),
                Err(error) => return Err(format!("what it sent is no frame: {error}")),
            }
        }
    });
    let _ = events.send(Event::End(end.err()));
    shared.seat.waker.wake();
}

/// Skips what comes before the agent's first frame. The error is what came instead.
fn find_magic(source: &mut BufReader<Heard<'_>>) -> Result<(), String> {
    let mut garbage = Vec::new();
    loop {
        let mut chunk = Vec::new();
        // The magic ends with a byte that people's text does not contain.
        let last = MAGIC[MAGIC.len() - 1];
        let left = (MOST_GARBAGE - garbage.len()) as u64;
        let count = source.by_ref().take(left).read_until(last, &mut chunk).unwrap_or(0);
        garbage.extend(chunk);
        if garbage.ends_with(&MAGIC) {
            return Ok(());
        }
        if garbage.ends_with(&MAGIC_OF_A_TERMINAL) {
            return Err(texts::terminal().into());
        }
        if count == 0 {
            let shown = &garbage[..garbage.len().min(300)];
            return Err(if shown.is_empty() { String::new() } else { format!("{:?}", String::from_utf8_lossy(shown)) });
        }
    }
}

fn write(mut stdin: ChildStdin, frames: &mpsc::Receiver<ToWrite>, shared: &Shared) {
    while let Ok((mut frame, behind)) = frames.recv() {
        match &mut *shared.begun() {
            Some(begun) => *begun = behind.max(*begun),
            None => return,
        }
        let len = frame.len();
        // A link that is cut is the reader's to tell.
        if frame.pump(|pieces, _| stdin.write_vectored(pieces)).is_err() {
            return;
        }
        if shared.unwritten.fetch_sub(len, Ordering::AcqRel) == len {
            shared.seat.waker.wake();
        }
    }
}

/// Passes on what the command complains of, and what tasks print, and keeps the last of it.
fn listen(stderr: ChildStderr, shared: &Shared) {
    let mut source = BufReader::new(stderr);
    let mut line = Vec::new();
    // Line by line, so that the lines of several nodes do not mix; and the rest, where somebody writes without an end.
    while source.by_ref().take(64 << 10).read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let _ = std::io::stderr().write_all(&line);
        let mut complaints = shared.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.extend(line.drain(..));
        let excess = complaints.len().saturating_sub(MOST_COMPLAINTS);
        complaints.drain(..excess);
    }
    shared.has_said_all.store(true, Ordering::Release);
}
