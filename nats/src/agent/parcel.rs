//! One parcel: what is known of it, its attempts, and what becomes of it.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures_util::StreamExt as _;
use spawnsafe::__private::engines::{self, Before, Errand};
use spawnsafe::Error;
use tokio::sync::mpsc;

use super::running::{Admission, Unwanted};
use super::{Agent, BEAT};
use crate::link::POOLS;
use crate::names::{self, Trace};
use crate::{complain, link};

/// How long tasks of a parcel may wait for each other until those that have not begun go to other agents, and the answers
/// of the others are stored one by one.
const TOGETHER: Duration = Duration::from_millis(100);

/// How often an agent gives a parcel back that no worker can begin there, if nobody else is there who has not tried. Then
/// that is the answer.
const VISITS: u32 = 3;

/// How long such a parcel is not for anybody, and then twice as long each time; and if all depends on others.
const BACK: Duration = Duration::from_millis(500);
const FOR_OTHERS: Duration = Duration::from_secs(10);

/// Runs one parcel.
pub(super) async fn work(agent: Arc<Agent>, message: Message) {
    let key = agent.link.names.rest(&message.subject, "task").unwrap_or_default().to_owned();
    let mut place = Place { agent: Arc::clone(&agent), key: String::new(), open: 0, has_left: false };
    if agent.health.is_doubted() {
        // It was asked for before that.
        drop(message.ack_with(AckKind::Nak(Some(BACK))).await);
        return;
    }
    let given = message.info().map_or(0, |info| info.delivered - 1);
    let mut progress = Progress { message: &message, silence: agent.silence };
    let mut known = match given {
        0 => Known::default(),
        _ => progress.during(agent.known(&key)).await,
    };
    let is_posted = key.starts_with("q.");
    if is_posted && !known.before.answers.is_empty() {
        return agent.settle(&message, &known.traces).await;
    }
    let (sender, mut unwanted) = mpsc::unbounded_channel();
    let admission = agent.running().admit(&key, sender);
    match admission {
        Admission::Begins => place.key.clone_from(&key),
        Admission::Ended => return agent.settle(&message, &known.traces).await,
        // The server has not heard for a while that it is being worked on.
        Admission::IsHere => return progress.tell().await,
    }
    if is_posted && !place.take_worker().await {
        // It was asked for ahead, and would wait behind something long.
        agent.is_slow();
        drop(message.ack_with(AckKind::Nak(None)).await);
        return;
    }
    let mut attempt =
        Attempt { agent: &agent, key: &key, is_posted, progress, place, said: Vec::new(), is_stored: true };
    let mut is_first = given == 0;
    loop {
        let end = attempt.run(&mut known, &mut unwanted, is_first).await;
        let Attempt { progress, place, .. } = &mut attempt;
        match end {
            End::Again => is_first = false,
            End::Done => {
                place.leave();
                return agent.settle(&message, &known.traces).await;
            }
            End::Damaged => {
                drop(message.ack_with(AckKind::Term).await);
                return agent.remove(&known.traces).await;
            }
            // It comes to somebody else when the heartbeat is over.
            End::Left => return,
            End::Unstarted { error, claim } => {
                place.leave();
                agent.doubt(&error);
                let delay = progress.during(agent.hand_back(&key, is_posted, &mut known, claim, &error)).await;
                return match delay {
                    Some(delay) => drop(message.ack_with(AckKind::Nak(Some(delay))).await),
                    None => agent.settle(&message, &known.traces).await,
                };
            }
        }
    }
}

/// What is stored about a parcel.
#[derive(Default)]
struct Known {
    before: Before,
    /// The messages that say who has taken it, and who has given it back.
    traces: Vec<u64>,
    /// Of these, those that say who has taken it, with their ids.
    claims: Vec<(u64, String)>,
    /// The agents that have given it back because they cannot begin it, once for each time.
    unfit: Vec<String>,
}

/// How an attempt has gone.
enum End {
    Done,
    /// Some of its tasks have lost their workers, and may be tried again.
    Again,
    /// Some of them have not begun, as no worker can be started. `claim` is what says that they may have, if it is wrong.
    Unstarted {
        error: Error,
        claim: Option<u64>,
    },
    /// It is nothing that can be read.
    Damaged,
    /// The server does not store what it must.
    Left,
}

/// What all attempts of one agent with a parcel have in common.
struct Attempt<'a> {
    agent: &'a Arc<Agent>,
    key: &'a str,
    is_posted: bool,
    progress: Progress<'a>,
    place: Place,
    /// What is not wanted, for attempts that follow.
    said: Vec<Unwanted>,
    /// All answers are, so far.
    is_stored: bool,
}

impl Attempt<'_> {
    async fn run(
        &mut self,
        known: &mut Known,
        unwanted: &mut mpsc::UnboundedReceiver<Unwanted>,
        is_first: bool,
    ) -> End {
        let (agent, key) = (self.agent, self.key);
        // Whoever gets the parcel later counts on it: what was claimed may have been begun, and what was not has not.
        let id = agent.fresh_id();
        let mut claimed = self.progress.during(agent.claim(key, &id, is_first)).await;
        if let Ok(None) = claimed {
            // It came as a new one, and is not. Unless this claim was stored by an earlier try, somebody else has been given it since,
            // or it was stored twice, or who has what was forgotten: when the heartbeat is over somebody is given it who knows.
            let now = self.progress.during(agent.known(key)).await;
            if self.is_posted && !now.before.answers.is_empty() {
                *known = now;
                return End::Done;
            }
            match now.claims.iter().find(|(_, own)| *own == id) {
                Some(&(claim, _)) if now.before.attempts == 1 => claimed = Ok(Some(claim)),
                _ => return End::Left,
            }
        }
        let claim = match claimed {
            Ok(claim) => claim,
            Err(why) => {
                complain(format_args!(
                    "{}: a task is left to others, as the NATS server does not store who runs it: {why}",
                    agent.name
                ));
                return End::Left;
            }
        };
        known.traces.extend(claim);
        let begun = {
            let mut station = agent.station.lock().unwrap_or_else(PoisonError::into_inner);
            station.begin(&self.progress.message.payload, &known.before)
        };
        let mut errand = match begun {
            Ok(errand) => errand,
            Err(error) => {
                complain(format_args!("{}: a message in the queue is dropped: {error}", agent.name));
                return End::Damaged;
            }
        };
        self.place.set(errand.open());
        for unwanted in &self.said {
            stop(&errand, unwanted);
        }
        let started = Instant::now();
        let answers = self.wait(&mut errand, &mut known.before, unwanted).await;
        agent.note_pace(started.elapsed());
        if errand.has_lost_some() {
            known.before.answers.extend(answers.iter().cloned());
        }
        let (unstarted, has_lost_some) = (errand.take_unstarted(), errand.has_lost_some());
        drop(errand);
        if unstarted.is_none() && !has_lost_some {
            self.place.leave();
        }
        self.is_stored &= self.progress.during(agent.store(key, self.is_posted, answers)).await;
        if !self.is_stored {
            return End::Left;
        }
        if has_lost_some {
            known.before.attempts += 1;
            known.before.node = Some(agent.name.clone());
        }
        match unstarted {
            Some(error) => End::Unstarted { error, claim: claim.filter(|_| !has_lost_some) },
            None if has_lost_some => End::Again,
            None => End::Done,
        }
    }

    /// Waits for the answers of an errand, and gives those that have not been stored on the way.
    async fn wait(
        &mut self,
        errand: &mut Errand,
        before: &mut Before,
        unwanted: &mut mpsc::UnboundedReceiver<Unwanted>,
    ) -> Vec<Vec<u8>> {
        let mut together = tokio::time::interval_at(tokio::time::Instant::now() + TOGETHER, TOGETHER);
        // Whoever comes after this agent must find them, however long the rest takes.
        let mut refresh = tokio::time::interval_at(tokio::time::Instant::now() + POOLS / 3, POOLS / 3);
        let mut alive = self.progress.interval();
        let mut answers = Vec::new();
        loop {
            tokio::select! {
                more = poll_fn(|context| errand.poll_answers(context)) => {
                    if more.is_empty() {
                        return answers;
                    }
                    answers.extend(more);
                    self.place.set(errand.open());
                }
                Some(unwanted) = unwanted.recv() => {
                    stop(errand, &unwanted);
                    self.said.push(unwanted);
                }
                _ = alive.tick() => self.progress.tell().await,
                _ = together.tick(), if !self.is_posted => {
                    if errand.hand_back() {
                        self.agent.is_slow();
                    }
                    let stored = std::mem::take(&mut answers);
                    if !stored.is_empty() {
                        if errand.may_repeat() {
                            before.answers.extend(stored.iter().cloned());
                        }
                        self.is_stored &=
                            self.progress.during(self.agent.store(self.key, self.is_posted, stored)).await;
                    }
                }
                _ = refresh.tick(), if errand.may_repeat() && !before.answers.is_empty() => {
                    let stored = before.answers.clone();
                    self.is_stored &= self.progress.during(self.agent.store(self.key, self.is_posted, stored)).await;
                }
            }
        }
    }
}

fn stop(errand: &Errand, unwanted: &Unwanted) {
    match unwanted {
        Unwanted::Some { tasks, kills } => errand.stop(tasks, *kills),
        Unwanted::All => errand.stop_all(),
    }
}

impl Agent {
    /// What is known of earlier attempts. Without knowing nothing may be run.
    async fn known(&self, key: &str) -> Known {
        let mut known = Known::default();
        for message in self.link.all(&self.streams.claims, &self.link.names.traces(key)).await {
            known.traces.push(message.sequence);
            match names::trace(&message.payload, &message.subject) {
                Trace::Claim { node, id } => {
                    known.claims.push((message.sequence, id));
                    known.before.attempts += 1;
                    known.before.node = Some(node);
                }
                Trace::HandedBack { agent, .. } => known.unfit.push(agent),
            }
        }
        let answers = if key.starts_with("q.") { &self.streams.results } else { &self.streams.pools };
        for message in self.link.all(answers, &self.link.names.answer(key)).await {
            known.before.answers.push(message.payload.to_vec());
        }
        known
    }

    /// Stores that this agent has taken a parcel; nothing if it is to be the first one, and somebody has taken it before.
    async fn claim(&self, key: &str, id: &str, is_first: bool) -> Result<Option<u64>, String> {
        let subject = self.link.names.claim(key);
        self.link.store_surely(&subject, id, is_first, names::claim_by(&self.name, id).into()).await
    }

    fn fresh_id(&self) -> String {
        format!("{}.{}", self.id, self.stored.fetch_add(1, Ordering::Relaxed))
    }

    /// Nothing more is asked for ahead, until parcels are short again.
    fn is_slow(&self) {
        self.pace.store(u64::MAX, Ordering::Relaxed);
    }

    /// Stores answers, several in a message where they fit; `false` if one is not stored, so that the parcel has no end here.
    async fn store(&self, key: &str, is_posted: bool, answers: Vec<Vec<u8>>) -> bool {
        let subject = self.link.names.answer(key);
        let largest = self.link.largest();
        let mut message: Vec<u8> = Vec::new();
        let mut messages = Vec::new();
        for answer in answers {
            if !message.is_empty() && message.len() + answer.len() > largest {
                messages.push(std::mem::take(&mut message));
            }
            message.extend(answer);
        }
        messages.push(message);
        for message in messages.into_iter().filter(|message| !message.is_empty()) {
            let id = match is_posted {
                // There is one answer only, whoever gives it.
                true => key.trim_start_matches("q.").to_owned(),
                false => self.fresh_id(),
            };
            if let Err(why) = self.link.store_surely(&subject, &id, is_posted, message.into()).await {
                complain(format_args!("{}: an answer is lost, as the NATS server does not store it: {why}", self.name));
                return false;
            }
        }
        true
    }

    /// Takes a parcel off the queue, whose answers are stored, and then what was known of it.
    async fn settle(&self, message: &Message, traces: &[u64]) {
        let Some(reply) = &message.reply else { return };
        // If that gets lost somebody else is given it, and finds the answers.
        if self.link.client.request(reply.clone(), Bytes::from_static(b"+ACK")).await.is_ok() {
            self.remove(traces).await;
        }
    }

    async fn remove(&self, traces: &[u64]) {
        for &trace in traces {
            // What stays is small, and says nothing of what is not in the queue.
            let _ = self.streams.claims.delete_message(trace).await;
        }
    }

    /// A parcel that no worker can begin here is one for others: gives how long it is for nobody. Nothing if there is nobody
    /// else any more, so that this is its answer.
    async fn hand_back(
        &self,
        key: &str,
        is_posted: bool,
        known: &mut Known,
        claim: Option<u64>,
        error: &Error,
    ) -> Option<Duration> {
        let visits = known.unfit.iter().filter(|&agent| *agent == self.id).count() as u32;
        let is_last = visits + 1 >= VISITS && !self.is_somebody_else_there(&known.unfit).await;
        if is_last {
            let answer = match is_posted {
                true => engines::failure(&engines::unfit(&self.name, error)),
                false => engines::failure(error),
            };
            if self.store(key, is_posted, vec![answer]).await {
                return None;
            }
        }
        if let Some(claim) = claim {
            if !self.link.delete_surely(&self.streams.claims, claim).await {
                complain(format_args!("{}: a task that has not begun counts as begun", self.name));
            }
            known.traces.retain(|&trace| trace != claim);
        }
        if visits >= VISITS {
            return Some(FOR_OTHERS);
        }
        let why = names::handed_back_by(&self.name, &self.id, &engines::failure(error));
        // It is for those who wait, and may be wrong by one.
        let _ = self.link.store_surely(&self.link.names.note(key), &self.fresh_id(), false, why.into()).await;
        Some(BACK * 2_u32.pow(visits))
    }

    /// Whether an agent says that it has workers that has not given the parcel back.
    async fn is_somebody_else_there(&self, unfit: &[String]) -> bool {
        let names = &self.link.names;
        let Ok(mut beats) = self.link.client.subscribe(names.beat("*")).await else { return true };
        // They say it every so often.
        let until = tokio::time::Instant::now() + BEAT + BEAT / 2;
        while let Ok(Some(beat)) = tokio::time::timeout_at(until, beats.next()).await {
            let Some(agent) = names.rest(&beat.subject, "beat") else { continue };
            if link::workers_in(&beat).is_some_and(|workers| workers > 0)
                && agent != self.id
                && !unfit.iter().any(|unfit| unfit == agent)
            {
                return true;
            }
        }
        false
    }
}

/// Counts a parcel's tasks as long as they are open.
struct Place {
    agent: Arc<Agent>,
    /// Under which it can be told what is not wanted; empty as long as it cannot.
    key: String,
    open: usize,
    has_left: bool,
}

impl Place {
    fn set(&mut self, open: usize) {
        self.agent.open.fetch_add(open, Ordering::AcqRel);
        self.agent.open.fetch_sub(self.open, Ordering::AcqRel);
        self.open = open;
    }

    /// Waits for a free worker, but not for long.
    async fn take_worker(&mut self) -> bool {
        let workers = self.agent.workers;
        let until = Instant::now() + TOGETHER;
        let one_more = |open| (open < workers).then_some(open + 1);
        while self.agent.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_err() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.open = 1;
        true
    }

    /// Another parcel can have its place.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.has_left, true) {
            self.set(0);
            self.agent.parcels.fetch_sub(1, Ordering::AcqRel);
            self.agent.running().forget(&self.key);
            self.agent.room.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Tells the server that a message is being worked on.
struct Progress<'a> {
    message: &'a Message,
    silence: Duration,
}

impl Progress<'_> {
    fn interval(&self) -> tokio::time::Interval {
        // The server may have been told any time by another program.
        let third = (self.silence / 3).max(Duration::from_millis(1));
        tokio::time::interval_at(tokio::time::Instant::now() + third, third)
    }

    async fn tell(&mut self) {
        // What does not arrive is told again.
        let _ = self.message.ack_with(AckKind::Progress).await;
    }

    /// Does something, and says meanwhile that it is being worked on.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut alive = self.interval();
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = alive.tick() => self.tell().await,
            }
        }
    }
}
