//! Being an agent: taking parcels from the queue, running them, storing the answers, and only then taking them off the queue.
//!
//! - A parcel is asked for when there is a worker for it, and not before: nothing waits here while its time runs.
//! - As long as it runs, the server is told so three times in the time after which it would give it to somebody else.
//! - Whoever gets a parcel that was given away before looks for what is known of that: answers that are there are not given
//!   again, and what may have run runs again only if its entry says so.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures_util::StreamExt as _;
use spawnsafe::__private::engines::{Before, Errand, Station};
use spawnsafe::Error;
use tokio::sync::{Notify, mpsc};

use crate::link::{self, Link, POOLS, Streams, chain};
use crate::settings::Nats;
use crate::{complain, names};

/// How long the server keeps a question for tasks. Short: a question ends with the server that was asked.
const QUESTION: Duration = Duration::from_secs(3);

/// How often an agent says that it is there.
const BEAT: Duration = Duration::from_secs(2);

/// Where parcels took no longer than that, another one may wait, so that workers need not.
const SHORT: Duration = Duration::from_millis(50);
const AHEAD: usize = 2;

/// How long tasks of a parcel may wait for each other until those that have not begun go to other agents, and the answers
/// of the others are stored one by one.
const TOGETHER: Duration = Duration::from_millis(100);

/// How many pools and tasks are remembered that nobody wants any more, as they may still come.
const REMEMBERED: usize = 10_000;

/// How often it is said that the server is away.
const SELDOM: Duration = Duration::from_secs(10);

struct Agent {
    link: Link,
    name: String,
    /// As which it is known in subjects.
    id: String,
    streams: Streams,
    station: Mutex<Station>,
    workers: usize,
    /// How long it may be silent about a task.
    silence: Duration,
    /// Tasks without an answer, and parcels that have some.
    open: AtomicUsize,
    parcels: AtomicUsize,
    /// Parcels that are not off the queue.
    unsettled: AtomicUsize,
    /// What parcels took lately, in microseconds.
    pace: AtomicU64,
    /// Something has ended.
    room: Notify,
    is_leaving: AtomicBool,
    stored: AtomicU64,
    running: Mutex<Running>,
}

/// Who is told what is not wanted any more, by keys of parcels.
#[derive(Default)]
struct Running {
    errands: HashMap<String, mpsc::UnboundedSender<Unwanted>>,
    /// What was said of those that are not here.
    early: HashMap<String, Vec<Unwanted>>,
    order: VecDeque<String>,
    ended: HashSet<String>,
}

/// What is to be done with a parcel that has come.
enum Admission {
    Begins,
    /// Its pool is gone.
    Ended,
    /// It runs here already.
    IsHere,
}

#[derive(Clone, Debug)]
enum Unwanted {
    Some { tasks: Vec<u64>, kills: bool },
    All,
}

/// Serves a queue until the process is asked to end.
pub(crate) async fn run(settings: Nats) -> Result<Infallible, Error> {
    let link = connect_patiently(&settings).await?;
    let streams = link.streams().await?;
    let name = format!("{}:{}", host(), std::process::id());
    let station = Station::new(&format!("node {name}"), settings.workers, link.largest(), settings.version.is_none());
    let workers = station.workers();
    let consumer = consumer(&streams.tasks, settings.heartbeat).await?;
    let silence = consumer.cached_info().config.ack_wait;
    let agent = Arc::new(Agent {
        name: format!("node {name}"),
        id: names::fresh(),
        streams,
        station: Mutex::new(station),
        workers,
        silence: if silence.is_zero() { settings.heartbeat } else { silence },
        open: AtomicUsize::new(0),
        parcels: AtomicUsize::new(0),
        unsettled: AtomicUsize::new(0),
        pace: AtomicU64::new(u64::MAX),
        room: Notify::new(),
        is_leaving: AtomicBool::new(false),
        stored: AtomicU64::new(0),
        running: Mutex::default(),
        link,
    });
    tokio::spawn(beat(Arc::clone(&agent)));
    tokio::spawn(listen(Arc::clone(&agent)));
    tokio::spawn(leave_when_asked(Arc::clone(&agent)));
    complain(format_args!("{name} serves {settings} with {workers} workers"));
    agent.serve(consumer).await
}

/// The server may be started later than this; but one that refuses this client will not change its mind.
async fn connect_patiently(settings: &Nats) -> Result<Link, Error> {
    let mut told: Option<Instant> = None;
    loop {
        match link::connect(settings).await {
            Ok(link) => return Ok(link),
            Err((error, true)) => return Err(error),
            Err((error, false)) => {
                if told.is_none_or(|told| told.elapsed() > SELDOM) {
                    complain(format_args!("{error}; it is tried again"));
                    told = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// What all agents take their tasks from.
async fn consumer(tasks: &Stream, silence: Duration) -> Result<PullConsumer, Error> {
    let config = pull::Config {
        durable_name: Some("workers".into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: silence,
        max_ack_pending: 100_000,
        max_waiting: 8192,
        ..pull::Config::default()
    };
    let mut tries = 0;
    loop {
        // One that is there stays as it is: agents that work already keep to its times.
        match tasks.get_or_create_consumer("workers", config.clone()).await {
            Ok(consumer) => return Ok(consumer),
            // A cluster that has just been started may not know yet who leads it.
            Err(error) if tries > 20 => {
                let message = format!("the NATS server makes no consumer of the queue: {}", chain(&error));
                return Err(spawnsafe::__private::engines::error_with(spawnsafe::ErrorKind::Spawn, message, error));
            }
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// What people call this machine.
fn host() -> String {
    let variable = |name: &str| std::env::var(name).ok();
    let file = |path: &str| std::fs::read_to_string(path).ok();
    let name = variable("SLURMD_NODENAME")
        .or_else(|| variable("HOSTNAME"))
        .or_else(|| variable("COMPUTERNAME"))
        .or_else(|| file("/proc/sys/kernel/hostname"));
    names::plain(name.as_deref().unwrap_or("node").trim())
}

/// Says again and again that it is there, and as well when somebody asks.
async fn beat(agent: Arc<Agent>) {
    let Ok(mut asked) = agent.link.client.subscribe(agent.link.names.control("who")).await else { return };
    let mut time = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            _ = time.tick() => {}
            question = asked.next() => if question.is_none() { return },
        }
        let workers = if agent.is_leaving.load(Ordering::Acquire) { 0 } else { agent.workers };
        agent.link.say(agent.link.names.beat(&agent.id), workers.to_string().into()).await;
    }
}

/// Hears what is not wanted any more.
async fn listen(agent: Arc<Agent>) {
    let Ok(mut heard) = agent.link.client.subscribe(agent.link.names.control(">")).await else { return };
    while let Some(message) = heard.next().await {
        let Some(what) = agent.link.names.rest(&message.subject, "ctl") else { continue };
        if let Some(pool) = what.strip_prefix("end.") {
            agent.running().end(pool);
        } else if let Some(key) = what.strip_prefix("stop.") {
            let Some((&kills, tasks)) = message.payload.split_first() else { continue };
            let tasks: Vec<u64> =
                tasks.chunks_exact(8).map(|task| u64::from_le_bytes(task.try_into().unwrap_or_default())).collect();
            let unwanted = if tasks.is_empty() { Unwanted::All } else { Unwanted::Some { tasks, kills: kills == 1 } };
            agent.running().stop(key, unwanted);
        }
    }
}

/// Takes nothing more when the process is asked to end, and ends when all that it has is done.
async fn leave_when_asked(agent: Arc<Agent>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut asked) = signal(SignalKind::terminate()) else { return };
        asked.recv().await;
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    agent.is_leaving.store(true, Ordering::Release);
    complain(format_args!("{} takes no more tasks, and ends when those that it has are done", agent.name));
    agent.link.say(agent.link.names.beat(&agent.id), Bytes::from_static(b"0")).await;
    // A question for more may still be answered while it lasts.
    let until = Instant::now() + QUESTION + Duration::from_millis(500);
    while Instant::now() < until || agent.unsettled.load(Ordering::Acquire) > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Without a server it would wait for one.
    let _ = tokio::time::timeout(QUESTION, agent.link.client.flush()).await;
    std::process::exit(0);
}

impl Running {
    fn stop(&mut self, key: &str, unwanted: Unwanted) {
        match self.errands.get(key) {
            // Where its errand has just ended there is nothing to stop.
            Some(errand) => drop(errand.send(unwanted)),
            None => {
                self.remember(key.to_owned());
                self.early.entry(key.to_owned()).or_default().push(unwanted);
            }
        }
    }

    /// Takes a parcel in, and whoever is told what of it is not wanted.
    fn admit(&mut self, key: &str, errand: mpsc::UnboundedSender<Unwanted>) -> Admission {
        let pool = key.strip_prefix("p.").and_then(|rest| rest.split_once('.')).map(|(pool, _)| pool);
        if pool.is_some_and(|pool| self.ended.contains(pool)) {
            return Admission::Ended;
        }
        if self.errands.contains_key(key) {
            return Admission::IsHere;
        }
        self.early.remove(key).unwrap_or_default().into_iter().for_each(|early| drop(errand.send(early)));
        self.errands.insert(key.to_owned(), errand);
        Admission::Begins
    }

    fn end(&mut self, pool: &str) {
        let theirs = format!("p.{pool}.");
        for (_, errand) in self.errands.iter().filter(|(key, _)| key.starts_with(&theirs)) {
            let _ = errand.send(Unwanted::All);
        }
        self.remember(pool.to_owned());
        self.ended.insert(pool.to_owned());
    }

    fn remember(&mut self, name: String) {
        self.order.push_back(name);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.early.remove(&oldest);
            self.ended.remove(&oldest);
        }
    }
}

impl Agent {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many parcels can be begun now.
    fn space(&self) -> usize {
        if self.is_leaving.load(Ordering::Acquire) {
            return 0;
        }
        let (open, parcels) = (self.open.load(Ordering::Acquire), self.parcels.load(Ordering::Acquire));
        match self.workers.saturating_sub(open.max(parcels)) {
            0 if parcels < self.workers + AHEAD && self.is_quick() => 1,
            space => space,
        }
    }

    fn is_quick(&self) -> bool {
        self.pace.load(Ordering::Relaxed) < SHORT.as_micros() as u64
    }

    fn note_pace(&self, time: Duration) {
        let time = time.as_micros() as u64;
        let before = self.pace.load(Ordering::Relaxed);
        self.pace.store(if before == u64::MAX { time } else { before / 4 * 3 + time / 4 }, Ordering::Relaxed);
    }

    async fn serve(self: Arc<Self>, mut consumer: PullConsumer) -> ! {
        let mut told: Option<Instant> = None;
        loop {
            let room = self.room.notified();
            let space = self.space();
            if space == 0 {
                // Now and then it is looked without being told.
                let _ = tokio::time::timeout(QUESTION, room).await;
                continue;
            }
            if let Err(error) = self.ask(&consumer, space).await {
                if told.is_none_or(|told| told.elapsed() > SELDOM) && !self.link.is_connected() {
                    complain(format_args!("{} waits for the NATS server: {error}", self.name));
                    told = Some(Instant::now());
                }
                if let Some(trouble) = self.link.trouble() {
                    complain(format_args!("{} ends: {trouble}", self.name));
                    std::process::exit(70);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                if self.link.is_connected() {
                    consumer = self.same_consumer(consumer).await;
                }
            }
        }
    }

    /// The consumer, made again if it has vanished with its stream.
    async fn same_consumer(&self, consumer: PullConsumer) -> PullConsumer {
        if consumer.get_info().await.is_ok() || self.link.streams().await.is_err() {
            return consumer;
        }
        self::consumer(&self.streams.tasks, self.silence).await.unwrap_or(consumer)
    }

    async fn ask(self: &Arc<Self>, consumer: &PullConsumer, space: usize) -> Result<(), async_nats::Error> {
        let mut messages = consumer.batch().max_messages(space).expires(QUESTION).messages().await?;
        while let Some(message) = messages.next().await {
            let message = message?;
            self.parcels.fetch_add(1, Ordering::AcqRel);
            self.unsettled.fetch_add(1, Ordering::AcqRel);
            let agent = Arc::clone(self);
            tokio::spawn(async move {
                work(Arc::clone(&agent), message).await;
                agent.unsettled.fetch_sub(1, Ordering::AcqRel);
            });
        }
        Ok(())
    }

    /// What is known of earlier attempts, without that of the claim `own`.
    async fn before(&self, key: &str, own: &str, given: u64, age: Duration) -> Before {
        let (stream, kept) = match key.starts_with("q.") {
            true => (&self.streams.results, self.streams.results.cached_info().config.max_age),
            false => (&self.streams.pools, POOLS),
        };
        let mut before = Before::default();
        let (all, claim) = (self.link.names.result(&format!("{key}.>")), self.link.names.claim(key));
        let mut next = 1;
        loop {
            match stream.get_first_raw_message_by_subject(&*all, next).await {
                Ok(message) if *message.subject == *claim => {
                    next = message.sequence + 1;
                    let (node, id) = names::claimed_by(&message.payload);
                    if id != own {
                        before.attempts += 1;
                        before.node = Some(node);
                    }
                }
                Ok(message) => {
                    next = message.sequence + 1;
                    before.answers.push(message.payload.to_vec());
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    if age + self.silence >= kept && !kept.is_zero() {
                        // What was said at first may have been removed: it may have been begun each time.
                        before.attempts = before.attempts.max(u32::try_from(given).unwrap_or(u32::MAX));
                    }
                    return before;
                }
                // Without knowing nothing may be run.
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Stores that this agent has taken a parcel; `false` if it is to be the first one, and somebody has taken it before.
    async fn claim(&self, key: &str, id: &str, is_first: bool) -> Result<bool, String> {
        let claim = names::claim_by(&self.name, id);
        self.link.store_surely(&self.link.names.claim(key), id, is_first, claim.into()).await
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
}

/// Counts a parcel's tasks as long as they are open.
struct Place {
    agent: Arc<Agent>,
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
            self.agent.running().errands.remove(&self.key);
            self.agent.room.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Runs one parcel.
async fn work(agent: Arc<Agent>, message: Message) {
    let key = agent.link.names.rest(&message.subject, "task").unwrap_or_default().to_owned();
    let mut place = Place { agent: Arc::clone(&agent), key: key.clone(), open: 0, has_left: false };
    let (given, age) = message.info().map_or((0, Duration::ZERO), |info| {
        let age = SystemTime::now().duration_since(SystemTime::from(info.published)).unwrap_or_default();
        (u64::try_from(info.delivered - 1).unwrap_or(0), age)
    });
    let mut progress = Progress { message: &message, silence: agent.silence };
    let own = agent.fresh_id();
    let mut before = match given {
        0 => Before::default(),
        given => progress.during(agent.before(&key, &own, given, age)).await,
    };
    let is_posted = key.starts_with("q.");
    if is_posted && !before.answers.is_empty() {
        return acknowledge(&message).await;
    }
    let (sender, mut unwanted) = mpsc::unbounded_channel();
    let admission = agent.running().admit(&key, sender);
    match admission {
        Admission::Begins => {}
        Admission::Ended => return acknowledge(&message).await,
        Admission::IsHere => {
            // The server has not heard for a while that it is being worked on.
            place.key.clear();
            return progress.tell().await;
        }
    }
    if is_posted && !place.take_worker().await {
        // It was asked for ahead, and would wait behind something long.
        agent.is_slow();
        drop(message.ack_with(AckKind::Nak(None)).await);
        return;
    }
    // Whoever gets the parcel later counts on it: what was claimed may have been begun, and what was not has not.
    let mut claimed = progress.during(agent.claim(&key, &own, given == 0)).await;
    if let Ok(false) = claimed {
        // It came as a new one, and is not: it was stored twice, or who has what was forgotten.
        before = progress.during(agent.before(&key, &own, given, age)).await;
        if is_posted && !before.answers.is_empty() {
            return acknowledge(&message).await;
        }
        claimed = progress.during(agent.claim(&key, &own, false)).await;
    }
    if let Err(why) = claimed {
        complain(format_args!(
            "{}: a task is left to others, as the NATS server does not store who runs it: {why}",
            agent.name
        ));
        return;
    }
    let begun = {
        let mut station = agent.station.lock().unwrap_or_else(PoisonError::into_inner);
        station.begin(&message.payload, &before)
    };
    let mut errand = match begun {
        Ok(errand) => errand,
        Err(error) => {
            complain(format_args!("{}: a message in the queue is dropped: {error}", agent.name));
            drop(message.ack_with(AckKind::Term).await);
            return;
        }
    };
    place.set(errand.open());
    let started = Instant::now();
    let answers = run_errand(&agent, &mut errand, &mut place, &mut unwanted, &mut progress, is_posted).await;
    agent.note_pace(started.elapsed());
    drop(errand);
    place.leave();
    if progress.during(agent.store(&key, is_posted, answers)).await {
        acknowledge(&message).await;
    }
}

async fn acknowledge(message: &Message) {
    // If that gets lost somebody else is given it, and finds the answers.
    let _ = message.ack().await;
}

/// Waits for the answers of an errand, and gives those that have not been stored on the way.
async fn run_errand(
    agent: &Arc<Agent>,
    errand: &mut Errand,
    place: &mut Place,
    unwanted: &mut mpsc::UnboundedReceiver<Unwanted>,
    progress: &mut Progress<'_>,
    is_posted: bool,
) -> Vec<Vec<u8>> {
    let mut together = tokio::time::interval_at(tokio::time::Instant::now() + TOGETHER, TOGETHER);
    let mut alive = progress.interval();
    let mut answers = Vec::new();
    loop {
        tokio::select! {
            more = poll_fn(|context| errand.poll_answers(context)) => {
                if more.is_empty() {
                    return answers;
                }
                answers.extend(more);
                place.set(errand.open());
            }
            Some(unwanted) = unwanted.recv() => match unwanted {
                Unwanted::Some { tasks, kills } => errand.stop(&tasks, kills),
                Unwanted::All => errand.stop_all(),
            },
            _ = alive.tick() => progress.tell().await,
            _ = together.tick(), if !is_posted => {
                if errand.hand_back() {
                    agent.is_slow();
                }
                let stored = std::mem::take(&mut answers);
                if !stored.is_empty() {
                    progress.during(agent.store(&place.key, is_posted, stored)).await;
                }
            }
        }
    }
}

/// Tells the server that a message is being worked on.
struct Progress<'a> {
    message: &'a Message,
    silence: Duration,
}

impl Progress<'_> {
    fn interval(&self) -> tokio::time::Interval {
        let third = self.silence / 3;
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
