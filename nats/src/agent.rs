//! Being an agent: taking parcels from the queue, running them, storing the answers, and only then taking them off the queue.
//!
//! - A parcel is asked for when there is a worker for it, and not before: nothing waits here while its time runs.
//! - As long as it runs, the server is told so three times in the time after which it would give it to somebody else.
//! - Whoever gets a parcel that was given away before looks for what is known of that: answers that are there are not given
//!   again, and what may have run runs again only if its entry says so.
//! - Where no worker can be started the parcel goes back, for other agents, and nothing more is taken.

mod health;
mod parcel;
mod running;

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use health::Health;
use running::{Running, Unwanted};
use spawnsafe::__private::engines::Station;
use spawnsafe::Error;
use tokio::sync::Notify;

use crate::link::{self, Link, Streams, chain};
use crate::settings::Nats;
use crate::{complain, names};

/// How long the server keeps a question for tasks. Short: a question ends with the server that was asked.
const QUESTION: Duration = Duration::from_secs(3);
const SLACK: Duration = Duration::from_secs(2);

/// How often an agent says that it is there.
const BEAT: Duration = Duration::from_secs(2);

/// Where parcels took no longer than that, another one may wait, so that workers need not.
const SHORT: Duration = Duration::from_millis(50);
const AHEAD: usize = 2;

/// How often it is said that the server is away.
const SELDOM: Duration = Duration::from_secs(10);

/// The exit status of an agent that cannot go on, as of one that cannot begin: `EX_SOFTWARE`.
const EXIT_UNFIT: i32 = 70;

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
    health: Health,
    stored: AtomicU64,
    running: Mutex<Running>,
}

/// Serves a queue until the process is asked to end.
pub(crate) async fn run(settings: Nats) -> Result<Infallible, Error> {
    let link = connect_patiently(&settings).await?;
    let streams = link.streams().await?;
    let name = format!("{}:{}", host(), std::process::id());
    let station = Station::new(&format!("node {name}"), settings.workers, link.largest(), settings.version.is_none());
    let workers = station.workers();
    // One that can do nothing takes nothing.
    health::try_workers(&format!("node {name}"), None).await?;
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
        health: Health::default(),
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
        agent.say_workers().await;
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
    complain(format_args!("{} takes no more tasks, and ends when those that it has are done", agent.name));
    agent.leave(None).await
}

impl Agent {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how many workers it has: none, if it takes nothing more.
    async fn say_workers(&self) {
        let text = match self.health.why() {
            Some(why) => names::unfit(&self.name, &why).into(),
            None if self.is_leaving.load(Ordering::Acquire) => Bytes::from_static(b"0"),
            None => self.workers.to_string().into(),
        };
        self.link.say(self.link.names.beat(&self.id), text).await;
    }

    /// Ends the process when all that it has is done. The error is why it is of no use.
    async fn leave(&self, error: Option<Error>) -> ! {
        self.is_leaving.store(true, Ordering::Release);
        if let Some(error) = &error {
            complain(format_args!("{} ends when the tasks that it has are done: {error}", self.name));
        }
        self.say_workers().await;
        // A question for more may still be answered while it lasts.
        let until = Instant::now() + QUESTION + Duration::from_millis(500);
        while Instant::now() < until || self.unsettled.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Without a server it would wait for one.
        let _ = tokio::time::timeout(QUESTION, self.link.client.flush()).await;
        let Some(error) = error else { std::process::exit(0) };
        complain(format_args!("{} ends: {error}", self.name));
        std::process::exit(EXIT_UNFIT)
    }

    /// How many parcels can be begun now.
    fn space(&self) -> usize {
        if self.is_leaving.load(Ordering::Acquire) || self.health.is_doubted() {
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
                    std::process::exit(EXIT_UNFIT);
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
        // The server says when it has no more for now. One that does not is lost, or has no such consumer any more.
        while let Some(message) = tokio::time::timeout(QUESTION + SLACK, messages.next()).await? {
            let message = message?;
            self.parcels.fetch_add(1, Ordering::AcqRel);
            let unsettled = Unsettled::of(self);
            tokio::spawn(async move {
                parcel::work(Arc::clone(&unsettled.0), message).await;
            });
        }
        Ok(())
    }
}

/// Counts a parcel as long as it is not off the queue.
struct Unsettled(Arc<Agent>);

impl Unsettled {
    fn of(agent: &Arc<Agent>) -> Self {
        agent.unsettled.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(agent))
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        self.0.unsettled.fetch_sub(1, Ordering::AcqRel);
    }
}
