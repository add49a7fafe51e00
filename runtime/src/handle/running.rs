//! A child process on its way to an answer.
//!
//! [`Running::advance`] does whatever can be done without waiting, and everything that waits (a joining thread, one
//! with a time limit, an executor) calls it in a loop. Three things are watched together, because none is enough:
//! the answer, which arrives before the process ends; the end of the process, which comes even if a grandchild keeps
//! the connection open; and the connection, which closes even if the process lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{ending, reap};
use crate::error::{Error, ErrorKind};
use crate::launch::Peer;
use crate::launch::exiting::{self, GRACE};
use crate::link::{self, Frame, Inbox, Outbox, Progress};
use crate::sys::{Ended, Interest};
use crate::trace::{Heard, Span};
use crate::wire::Kind;

/// How much is read before limits are looked at again: what `try_join` may take, and an executor may be kept from its
/// other tasks, is bounded whatever the child sends.
const BUDGET: usize = 4 << 20;

/// How many events are taken before limits are looked at again.
const EVENTS: usize = 64;

/// A child process that was started and not yet joined.
pub(super) struct Running {
    entry: &'static str,
    span: Span,
    id: u32,
    peer: Owned,
    outbox: Outbox,
    inbox: Inbox,
    /// Whether it was told to send events.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    tells: bool,
    /// Events that have come.
    heard: Heard,
    /// When the child is to be killed, and the limit that the user gave.
    limit: Option<(Instant, Duration)>,
    /// Whether the reaper has killed it because the limit had passed.
    due: Arc<AtomicBool>,
    cancelled: bool,
    /// What a dying child has said.
    last_words: Option<Error>,
    /// Whether reading has stopped before the connection was empty.
    has_more: bool,
    /// Whether the process is to be left to exit by itself when it has given a value.
    leaves: bool,
    stage: Stage,
}

enum Stage {
    /// The connection is open and the answer has not come.
    Open,
    /// The connection is closed; `partial` if it was so within a frame.
    Closed { partial: bool },
    /// The answer is there, the process has still to exit.
    Answered { answer: Answer, kill_at: Option<Instant> },
    /// The answer was taken.
    Done,
}

/// The end of a call: the frame with its value, or why there is none.
pub(crate) type Answer = Result<Frame, Error>;

impl Running {
    pub(super) fn new(
        entry: &'static str,
        peer: Box<dyn Peer>,
        outbox: Outbox,
        tells: bool,
        limit: Option<(Instant, Duration)>,
    ) -> Self {
        let span = Span::child(entry);
        span.runs_in(peer.id());
        Self {
            entry,
            span,
            id: peer.id(),
            peer: Owned(Some(peer)),
            outbox,
            inbox: Inbox::default(),
            tells,
            heard: Heard::default(),
            limit,
            due: Arc::default(),
            cancelled: false,
            last_words: None,
            has_more: false,
            leaves: false,
            stage: Stage::Open,
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn entry(&self) -> &'static str {
        self.entry
    }

    /// Sends the rest of the arguments. A child that ends or answers instead is not an error here: joining tells.
    pub(super) fn send(&mut self) {
        while !self.outbox.is_empty() && matches!(self.stage, Stage::Open) {
            let ended = self.progress();
            let is_sending = matches!(ended, Ok(None)) && !self.outbox.is_empty() && matches!(self.stage, Stage::Open);
            if !is_sending || self.wait_until(None).is_err() {
                break;
            }
        }
    }

    /// Has the child killed when its limit passes, also if nobody waits for it.
    pub(super) fn kill_when_due(&mut self) -> Result<(), Error> {
        let Some((deadline, _)) = self.limit else { return Ok(()) };
        reap::kill_at(self.peer.get().watch(), deadline, Arc::clone(&self.due)).map_err(|error| {
            Error::new(ErrorKind::Spawn, format!("its time limit cannot be watched: {error}"))
                .in_entry(self.entry)
                .with_source(error)
        })
    }

    /// Waits for the answer; `None` if `until` passes first.
    pub(super) fn settle(&mut self, until: Option<Instant>) -> Option<Answer> {
        loop {
            if let Some(answer) = self.advance() {
                return Some(answer);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return None;
            }
            if let Err(error) = self.wait_until(until) {
                return Some(self.give_up(ending::lost(error)));
            }
        }
    }

    /// Waits for the answer, and not for the process that has given it: if that is a value, it is left to exit by itself.
    /// An error says how the process has ended.
    pub(super) fn settle_for_value(&mut self) -> Answer {
        // While the child is being loaded there is time for it.
        exiting::sweep();
        self.leaves = reap::expect_exit();
        loop {
            if let Some(answer) = self.advance() {
                return answer;
            }
            if let (Stage::Answered { answer: Ok(_), .. }, true) = (&self.stage, self.leaves) {
                if let Ok(reaper) = reap::reaper() {
                    return self.leave(reaper);
                }
            }
            if let Err(error) = self.wait_until(None) {
                return self.give_up(ending::lost(error));
            }
        }
    }

    fn leave(&mut self, reaper: &reap::Reaper) -> Answer {
        reaper.leave(self.peer.give_up());
        self.span.ends(None);
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Answered { answer, .. } => answer,
            _ => unreachable!("it is called when the answer is there"),
        }
    }

    /// Does what can be done without waiting. The answer comes once, and only after the process is reaped.
    pub(super) fn advance(&mut self) -> Option<Answer> {
        if matches!(self.stage, Stage::Done) {
            return Some(Err(ending::already_joined().in_entry(self.entry)));
        }
        let ended = match self.progress() {
            Ok(ended) => ended?,
            Err(error) => return Some(self.give_up(ending::lost(error))),
        };
        let answer = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Open => Err(self.without_answer(ended, false)),
            Stage::Closed { partial } => Err(self.without_answer(ended, partial)),
            Stage::Answered { answer, .. } => answer.map_err(|error| with_status(error, ended)),
            Stage::Done => return None,
        };
        self.span.ends(answer.as_ref().err());
        Some(answer)
    }

    /// Does the same without taking the answer, and tells whether the process has ended, and all it has sent is read.
    fn progress(&mut self) -> std::io::Result<Option<Ended>> {
        // Asked first: what the process has written by then is in the connection, and is read below.
        let ended = self.peer.get().try_wait()?;
        if ended.is_none() {
            self.enforce_limits();
        }
        if matches!(self.stage, Stage::Open) {
            self.exchange(ended.is_some());
            std::mem::take(&mut self.heard).tell();
        }
        Ok(ended.filter(|_| !self.has_more()))
    }

    /// Whether something is left to be read at once: nothing need be waited for.
    pub(super) fn has_more(&self) -> bool {
        self.has_more && matches!(self.stage, Stage::Open)
    }

    /// When [`advance`](Self::advance) has something to do although nothing has happened.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Answered { kill_at, .. } => *kill_at,
            // It was killed, and needs to be waited for only.
            _ if self.due.load(Ordering::Acquire) => None,
            _ => self.limit.map(|(deadline, _)| deadline),
        }
    }

    pub(super) fn kill(&mut self) -> std::io::Result<()> {
        if matches!(self.stage, Stage::Done) || self.peer.get().try_wait()?.is_some() {
            return Ok(());
        }
        self.cancelled |= !matches!(self.stage, Stage::Answered { .. });
        self.peer.get().kill()
    }

    /// Gives the process up to the reaper.
    pub(super) fn detach(mut self) -> Result<(), Error> {
        if matches!(self.stage, Stage::Done) {
            return Ok(());
        }
        let entry = self.entry;
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Spawn, format!("its process cannot be detached, and is killed: {error}"))
                .in_entry(entry)
                .with_source(error)
        };
        let reaper = reap::reaper().map_err(failed)?;
        self.peer.get().release().map_err(failed)?;
        // A child that still has something to say is told that nobody listens.
        self.peer.get().hang_up();
        reaper.adopt(self.peer.give_up(), self.limit.map(|(deadline, _)| deadline));
        Ok(())
    }

    #[cfg(feature = "tokio")]
    pub(super) fn async_wait(&mut self) -> std::io::Result<crate::sys::AsyncWait> {
        self.peer.get().async_wait()
    }

    fn enforce_limits(&mut self) {
        if self.next_deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            match &mut self.stage {
                Stage::Answered { kill_at, .. } => *kill_at = None,
                _ => self.due.store(true, Ordering::Release),
            }
            // There is nothing else that could be done.
            let _ = self.peer.get().kill();
        }
    }

    /// Writes and reads what the connection allows.
    fn exchange(&mut self, has_ended: bool) {
        let Self { outbox, peer, .. } = self;
        if let Err(error) = outbox.pump(|pieces, handles| peer.get().write(pieces, handles)) {
            *outbox = Outbox::default();
            // A child that reads no more has failed, and may have said why.
            if !link::is_closed(&error) {
                // It would wait for the rest of its arguments.
                let _ = self.peer.get().kill();
                return self.answer(Err(ending::not_sent(error).in_entry(self.entry)));
            }
        }
        self.has_more = false;
        for _ in 0..EVENTS {
            match self.inbox.pump(self.peer.get(), BUDGET) {
                Ok(Progress::Complete(frame)) => match frame.kind {
                    Kind::Value => return self.answer(Ok(frame)),
                    Kind::Failure => return self.answer_failure(frame),
                    Kind::LastWords if self.last_words.is_none() => {
                        self.last_words = Some(failure(&frame.items, frame.blobs))
                    }
                    Kind::LastWords => return self.distrust("it had last words twice"),
                    #[cfg(feature = "tracing")]
                    Kind::Event if self.tells => match link::event(&frame) {
                        Some((_, event)) => self.heard.push(self.span.clone(), event),
                        None => return self.distrust("an event of it cannot be read"),
                    },
                    Kind::Call | Kind::Worker | Kind::Tasks | Kind::Spare | Kind::Zygote | Kind::Surroundings => {
                        return self.distrust("it sent a call, and a child only answers");
                    }
                    Kind::Event => return self.distrust("it tells events, and was not asked to"),
                    Kind::Answer | Kind::Bell | Kind::Node(_) => {
                        return self.distrust("it answers as a worker of a pool would");
                    }
                },
                Ok(Progress::More) => return self.has_more = true,
                Ok(Progress::Pending) if !has_ended => return,
                // A grandchild holds the connection open; nothing will come from it.
                Ok(Progress::Pending) => return self.stage = Stage::Closed { partial: self.inbox.is_partial() },
                Ok(Progress::Closed { partial }) => return self.stage = Stage::Closed { partial },
                Err(error) => return self.distrust(error),
            }
        }
        self.has_more = true;
    }

    fn answer_failure(&mut self, frame: Frame) {
        self.answer(Err(failure(&frame.items, frame.blobs).in_entry(self.entry)));
    }

    /// What came is not from this library: whatever the process is doing, it is no longer our child.
    fn distrust(&mut self, why: impl std::fmt::Display) {
        let error = ending::garbage(self.id(), &why).in_entry(self.entry);
        // Fails only if it has ended.
        let _ = self.peer.get().kill();
        self.answer(Err(error));
    }

    fn answer(&mut self, answer: Answer) {
        if !self.leaves {
            // While the process exits there is time for it.
            self.peer.get().hang_up();
        }
        self.stage = Stage::Answered { answer, kill_at: Some(Instant::now() + GRACE) };
    }

    fn without_answer(&mut self, ended: Ended, partial: bool) -> Error {
        let id = self.id();
        let error = if let Some(last_words) = self.last_words.take() {
            last_words
        } else if let (true, Some((_, timeout))) = (self.due.load(Ordering::Acquire) && ended.may_be_kill(), self.limit)
        {
            ending::timed_out(id, timeout)
        } else if self.cancelled && ended.may_be_kill() {
            ending::cancelled(id)
        } else {
            ending::without_answer(id, ended, partial)
        };
        with_status(error, ended).in_entry(self.entry)
    }

    fn give_up(&mut self, error: Error) -> Answer {
        let _ = self.peer.get().kill();
        self.stage = Stage::Done;
        Err(error.in_entry(self.entry))
    }

    fn wait_until(&mut self, until: Option<Instant>) -> std::io::Result<()> {
        if self.has_more() {
            return Ok(());
        }
        let interest = match self.stage {
            Stage::Open if !self.outbox.is_empty() => Some(Interest::ReadOrWrite),
            Stage::Open => Some(Interest::Read),
            _ => None,
        };
        let deadline = [until, self.next_deadline()].into_iter().flatten().min();
        self.peer.get().wait(interest, deadline).map(drop)
    }
}

fn with_status(error: Error, ended: Ended) -> Error {
    match ended {
        Ended::With(status) => error.with_status(status),
        Ended::Unknown => error,
    }
}

/// The error in what carries one.
pub(crate) fn failure(items: &[u8], blobs: Vec<Vec<u8>>) -> Error {
    let mut unpacker = link::unpacker(items, blobs);
    unpacker.value().unwrap_or_else(|error| {
        Error::new(ErrorKind::Protocol, format!("it failed, and what it says about it cannot be read: {error}"))
    })
}

/// A process that is ended and reaped when nobody holds it any more: no orphans and no zombies.
struct Owned(Option<Box<dyn Peer>>);

impl Owned {
    fn get(&mut self) -> &mut dyn Peer {
        &mut **self.0.as_mut().expect("it is given up only together with what holds it")
    }

    fn give_up(&mut self) -> Box<dyn Peer> {
        self.0.take().expect("it is given up once")
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let Some(peer) = &mut self.0 else { return };
        while let Ok(None) = peer.try_wait() {
            // If the system refuses, it is waited for all the same.
            let _ = peer.kill();
            if peer.wait(None, None).is_err() {
                break;
            }
        }
    }
}
