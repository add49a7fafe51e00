//! The connection of one pool: its parcels into the queue, and what comes back.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{PublishAckFuture, PublishError};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use spawnsafe::__private::engines::{self, Carrier, Event, Wake};
use spawnsafe::{Error, ErrorKind};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::link::{self, Link, POOLS, Refusal, Streams};
use crate::names::{self, Trace};
use crate::settings::Nats;
use crate::{runtime, wait};

/// How long an agent that says nothing counts as there.
const SILENCE: Duration = Duration::from_secs(10);

/// How many answers are asked for at once, and how long the server keeps such a question: it ends with the server.
const ANSWERS: usize = 512;
const QUESTION: Duration = Duration::from_millis(1500);
const SLACK: Duration = Duration::from_secs(1);

/// How often it is looked whether what has no answer is still there.
const AUDIT: Duration = Duration::from_secs(3);

/// How long the end of a pool may take to be told.
const FAREWELL: Duration = Duration::from_secs(3);

pub(crate) fn connect(settings: Nats, wake: Wake) -> Result<Line, Error> {
    let (shared, claims) = wait(async move {
        let link = link::connect(&settings).await.map_err(|(error, _)| error)?;
        let Streams { tasks, pools, .. } = link.streams().await?;
        let pool = names::fresh();
        // Before there is a parcel that somebody could take.
        let claims = link.client.subscribe(link.names.traces(&format!("p.{pool}.*"))).await;
        let claims = claims.map_err(|error| {
            let message = format!("the NATS server {settings} cannot be listened to: {error}");
            engines::error_with(ErrorKind::Spawn, message, error)
        })?;
        let shared = Arc::new(Shared {
            link,
            pool,
            tasks,
            pools,
            wake,
            events: Mutex::default(),
            unsent: AtomicUsize::new(0),
            kept: Mutex::default(),
        });
        Ok::<_, Error>((shared, claims))
    })??;
    let (parcels, to_send) = mpsc::unbounded_channel();
    let runtime = runtime()?;
    let work = vec![
        runtime.spawn(send(Arc::clone(&shared), to_send)),
        runtime.spawn(hear(Arc::clone(&shared))),
        runtime.spawn(hear_of_claims(Arc::clone(&shared), claims)),
        runtime.spawn(audit(Arc::clone(&shared))),
        runtime.spawn(count_workers(Arc::clone(&shared))),
        runtime.spawn(watch(Arc::clone(&shared))),
    ];
    Ok(Line { shared, parcels, work })
}

/// The connection, for the thread of the pool.
pub(crate) struct Line {
    shared: Arc<Shared>,
    parcels: mpsc::UnboundedSender<(u64, Bytes)>,
    work: Vec<JoinHandle<()>>,
}

struct Shared {
    link: Link,
    /// What the pool is called in subjects.
    pool: String,
    tasks: Stream,
    pools: Stream,
    wake: Wake,
    events: Mutex<VecDeque<Event>>,
    unsent: AtomicUsize,
    kept: Mutex<Kept>,
}

/// What is kept of parcels.
#[derive(Default)]
struct Kept {
    /// Those that nobody waits for any more, and that may not be in the queue yet.
    withdrawn: HashSet<u64>,
    /// The numbers that the queue has given to those that are not finished.
    stored: HashMap<u64, u64>,
    /// The last message of an answer, in a stream that was made at this time.
    last: u64,
    made: Option<String>,
    /// The pool has ended.
    has_left: bool,
}

impl Kept {
    /// Behind which message of the stream that was made then answers are to be heard.
    fn begin_with(&mut self, made: String) -> u64 {
        if self.made.as_ref().is_some_and(|before| *before != made) {
            // Somebody has removed the one before, and in this one numbers begin anew.
            self.last = 0;
        }
        self.made = Some(made);
        self.last
    }
}

impl Shared {
    fn tell(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        self.wake.wake();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, parcel: u64) -> String {
        format!("p.{}.{parcel}", self.pool)
    }

    /// Takes a parcel off the queue. What has been taken by an agent is not there any more, or is run in vain.
    async fn take_off(&self, number: u64) {
        let _ = self.tasks.delete_message(number).await;
    }

    /// Whether nobody waits for a parcel any more.
    fn is_withdrawn(&self, parcel: u64) -> bool {
        let kept = self.kept();
        kept.has_left || kept.withdrawn.contains(&parcel)
    }

    /// Notes that a parcel is in the queue; `false` if it is to be taken off again.
    fn is_wanted(&self, parcel: u64, number: u64) -> bool {
        let mut kept = self.kept();
        if kept.withdrawn.remove(&parcel) || kept.has_left {
            return false;
        }
        kept.stored.insert(parcel, number);
        true
    }
}

impl Carrier for Line {
    fn largest(&self) -> usize {
        self.shared.link.largest()
    }

    fn send(&mut self, parcel: u64, bytes: Vec<u8>) {
        self.shared.unsent.fetch_add(1, Ordering::AcqRel);
        // Where the task has ended so has the pool.
        let _ = self.parcels.send((parcel, bytes.into()));
    }

    fn unsent(&self) -> usize {
        self.shared.unsent.load(Ordering::Acquire)
    }

    fn next(&mut self) -> Option<Event> {
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn stop(&mut self, parcel: u64, tasks: &[u64], kills: bool) {
        let subject = self.shared.link.names.control(&format!("stop.{}", self.shared.key(parcel)));
        // The whole parcel would be without tasks.
        let most = (self.largest().saturating_sub(1) / size_of::<u64>()).max(1);
        let words = tasks.chunks(most).map(|tasks| {
            let tasks = tasks.iter().flat_map(|task| task.to_le_bytes());
            std::iter::once(u8::from(kills)).chain(tasks).collect::<Bytes>()
        });
        let (words, shared): (Vec<Bytes>, _) = (words.collect(), Arc::clone(&self.shared));
        self.spawn(async move {
            for bytes in words {
                shared.link.say(subject.clone(), bytes).await;
            }
        });
    }

    fn withdraw(&mut self, parcel: u64) {
        let mut kept = self.shared.kept();
        let Some(number) = kept.stored.remove(&parcel) else {
            // It is not there yet.
            kept.withdrawn.insert(parcel);
            return;
        };
        drop(kept);
        let shared = Arc::clone(&self.shared);
        self.spawn(async move { shared.take_off(number).await });
    }

    fn finished(&mut self, parcel: u64) {
        self.shared.kept().stored.remove(&parcel);
    }

    fn leave(&mut self) {
        self.work.drain(..).for_each(|work| work.abort());
        self.shared.kept().has_left = true;
        let shared = Arc::clone(&self.shared);
        // Where the server is gone, ages and heartbeats see to the rest.
        let _ = wait(async move {
            let _ = tokio::time::timeout(FAREWELL, async {
                let Shared { link, pool, tasks, .. } = &*shared;
                link.say(link.names.control(&format!("end.{pool}")), Bytes::new()).await;
                let _ = link.client.flush().await;
                let stored: Vec<u64> = shared.kept().stored.drain().map(|(_, number)| number).collect();
                let deletions = stored.into_iter().map(|number| tasks.delete_message(number));
                futures_util::future::join_all(deletions).await;
            })
            .await;
        });
    }
}

impl Line {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = runtime() {
            runtime.spawn(work);
        }
    }
}

impl Shared {
    /// Hands a parcel to the server, which has not said yet that it has it.
    async fn hand_over(&self, parcel: u64, bytes: Bytes) -> Result<PublishAckFuture, PublishError> {
        let subject = self.link.names.task(&self.key(parcel));
        let publish = PublishMessage::build().message_id(format!("{}.{parcel}", self.pool)).payload(bytes);
        self.link.jetstream.send_publish(subject, publish).await
    }

    /// Sees to it that a parcel gets into the queue.
    async fn settle(&self, parcel: u64, bytes: Bytes, handed: Result<PublishAckFuture, PublishError>) {
        let subject = self.link.names.task(&self.key(parcel));
        let id = format!("{}.{parcel}", self.pool);
        let stored = match handed {
            Ok(handed) => handed.await.map(|stored| stored.sequence),
            Err(error) => Err(error),
        };
        let mut stored = stored.map_err(|error| link::refusal(&error));
        let mut tries = 0_u32;
        loop {
            match stored {
                Ok(number) => {
                    if !self.is_wanted(parcel, number) {
                        self.take_off(number).await;
                    }
                    return;
                }
                Err(Refusal::Taken) => return,
                Err(_) if self.is_withdrawn(parcel) => {
                    self.kept().withdrawn.remove(&parcel);
                    return;
                }
                Err(Refusal::Never(why)) => {
                    let error = engines::error(ErrorKind::Encode, format!("the NATS server does not take it: {why}"));
                    return self.tell(Event::Refused { parcel, error });
                }
                // The queue is full, or the server away.
                Err(Refusal::NotNow(_)) => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(if tries < 5 { 10 } else { 100 })).await;
                    stored = self.link.store(subject.clone(), &id, false, bytes.clone()).await;
                }
            }
        }
    }

    /// What has come about one of the pool's parcels.
    fn take(&self, message: &async_nats::jetstream::Message) {
        let Some(rest) = self.link.names.rest(&message.subject, "res") else { return };
        let Some(rest) = rest.strip_prefix("p.").and_then(|rest| rest.strip_prefix(&*self.pool)) else { return };
        let Some((number, kind)) = rest.trim_start_matches('.').split_once('.') else { return };
        let (Ok(parcel), Ok(info)) = (number.parse(), message.info()) else { return };
        self.kept().last = info.stream_sequence;
        if kind == "a" {
            self.tell(Event::Answers { parcel, bytes: message.payload.to_vec() });
        }
    }

    /// Somebody has taken one of the pool's parcels, or put it back.
    fn take_trace(&self, message: &async_nats::Message) {
        let Some(rest) = self.link.names.rest(&message.subject, "claim") else { return };
        let Some(rest) = rest.strip_prefix("p.").and_then(|rest| rest.strip_prefix(&*self.pool)) else { return };
        let Some(parcel) = rest.split('.').nth(1).and_then(|number| number.parse().ok()) else { return };
        self.tell(match names::trace(&message.payload, &message.subject) {
            Trace::Claim { node, .. } => Event::Begun { parcel, node },
            Trace::HandedBack { node, why, .. } => {
                self.tell(Event::Unfit { node, why });
                Event::HandedBack { parcel }
            }
        });
    }

    /// Whether a parcel that was in the queue as this message is not there any more, and all is heard that was answered. What has
    /// been done is answered before it is taken off the queue. Nothing if the server does not say.
    async fn has_vanished(&self, parcel: u64, number: u64) -> Option<bool> {
        let (key, names) = (self.key(parcel), &self.link.names);
        match self.tasks.get_raw_message(number).await {
            Ok(message) if *message.subject == *names.task(&key) => return Some(false),
            Ok(_) => {}
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
            Err(_) => return None,
        }
        match self.pools.get_last_raw_message_by_subject(&names.answer(&key)).await {
            Ok(answer) => Some(answer.sequence <= self.kept().last),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Some(true),
            Err(_) => None,
        }
    }

    fn vanished(&self) -> Error {
        let message = format!(
            "it has vanished from the queue on {} before it was answered, and may have run: was the queue removed, purged, or \
             lost by the server?",
            self.link.settings
        );
        engines::error(ErrorKind::Lost, message)
    }
}

/// Hears who takes parcels. Where that is not heard, all goes on.
async fn hear_of_claims(shared: Arc<Shared>, mut claims: async_nats::Subscriber) {
    while let Some(message) = claims.next().await {
        shared.take_trace(&message);
    }
}

/// Looks whether parcels are where they should be: nobody will answer those that somebody has removed.
async fn audit(shared: Arc<Shared>) {
    let mut suspected = HashSet::new();
    loop {
        tokio::time::sleep(AUDIT).await;
        let mut stored: Vec<(u64, u64)> =
            shared.kept().stored.iter().map(|(&parcel, &number)| (parcel, number)).collect();
        stored.sort_unstable();
        let mut vanished = HashSet::new();
        for (parcel, number) in stored {
            match shared.has_vanished(parcel, number).await {
                Some(true) => drop(vanished.insert(parcel)),
                // It is looked at the oldest only, as long as that is there.
                Some(false) if vanished.is_empty() => break,
                Some(false) => {}
                None => {
                    shared.link.mend_streams().await;
                    break;
                }
            }
        }
        // What was heard in between may have been on its way when it was looked.
        for &parcel in vanished.intersection(&suspected) {
            if shared.kept().stored.remove(&parcel).is_some() {
                shared.tell(Event::Refused { parcel, error: shared.vanished() });
                // Who still runs it does that for nobody.
                let stop = shared.link.names.control(&format!("stop.{}", shared.key(parcel)));
                shared.link.say(stop, Bytes::from_static(&[1])).await;
            }
        }
        suspected = vanished;
    }
}

/// Puts parcels into the queue in their order: what was submitted first is begun first, as long as the queue has room.
async fn send(shared: Arc<Shared>, mut parcels: mpsc::UnboundedReceiver<(u64, Bytes)>) {
    while let Some((parcel, bytes)) = parcels.recv().await {
        let handed = shared.hand_over(parcel, bytes.clone()).await;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.settle(parcel, bytes, handed).await;
            shared.unsent.fetch_sub(1, Ordering::AcqRel);
            shared.wake.wake();
        });
    }
}

/// Takes answers as they are stored, from a consumer that is made again wherever the last one stopped.
async fn hear(shared: Arc<Shared>) {
    let mut heard = Instant::now();
    loop {
        // It goes on as long as the server answers.
        if hear_a_while(&shared, &mut heard).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if heard.elapsed() > POOLS / 2 {
            let message = format!(
                "the NATS server {} was away for {:?}, and may have removed answers by now",
                shared.link.settings,
                heard.elapsed()
            );
            return shared.tell(Event::Broken(engines::error(ErrorKind::Lost, message)));
        }
    }
}

async fn hear_a_while(shared: &Shared, heard: &mut Instant) -> Result<(), async_nats::Error> {
    let Ok(info) = shared.pools.get_info().await else {
        shared.link.mend_streams().await;
        return Err("the stream of answers is not there".into());
    };
    let last = shared.kept().begin_with(info.created.to_string());
    let config = pull::Config {
        // Another one each time: that of a server that is lost cannot be replaced.
        name: Some(names::fresh()),
        num_replicas: shared.link.settings.replicas,
        filter_subject: shared.link.names.result(&format!("p.{}.>", shared.pool)),
        ack_policy: AckPolicy::None,
        deliver_policy: match last {
            0 => DeliverPolicy::All,
            last => DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
        },
        inactive_threshold: Duration::from_secs(60),
        ..pull::Config::default()
    };
    let consumer = shared.pools.create_consumer(config).await?;
    let mut next = 0;
    loop {
        let mut answers = consumer.batch().max_messages(ANSWERS).expires(QUESTION).messages().await?;
        let mut is_empty = true;
        // The server says when it has no more for now. One that does not is lost, and with it perhaps what it has sent.
        while let Some(answer) = tokio::time::timeout(QUESTION + SLACK, answers.next()).await? {
            let answer = answer?;
            next += 1;
            if answer.info()?.consumer_sequence != next {
                return Err("an answer was sent that has not arrived".into());
            }
            shared.take(&answer);
            *heard = Instant::now();
            is_empty = false;
        }
        if is_empty {
            // There were none, or the consumer is gone with its server.
            tokio::time::timeout(QUESTION, consumer.get_info()).await??;
            *heard = Instant::now();
        }
    }
}

/// Says how many workers there are, as their agents say it.
async fn count_workers(shared: Arc<Shared>) {
    let names = &shared.link.names;
    let mut agents: HashMap<String, (Instant, usize)> = HashMap::new();
    let mut told = 0;
    loop {
        let Ok(mut beats) = shared.link.client.subscribe(names.beat("*")).await else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        shared.link.say(names.control("who"), Bytes::new()).await;
        let mut look = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                beat = beats.next() => {
                    let Some(beat) = beat else { break };
                    if let Some((node, why)) = names::unfit_in(&beat.payload) {
                        shared.tell(Event::Unfit { node, why });
                    }
                    match link::workers_in(&beat) {
                        Some(0) | None => agents.remove(beat.subject.as_str()),
                        Some(workers) => agents.insert(beat.subject.to_string(), (Instant::now(), workers)),
                    };
                }
                _ = look.tick() => agents.retain(|_, (heard, _)| heard.elapsed() < SILENCE),
            }
            let count = agents.values().map(|&(_, workers)| workers).fold(0, usize::saturating_add);
            if count != told {
                told = count;
                shared.tell(Event::Workers(count));
            }
        }
    }
}

/// Ends the pool where the server does not want it any more.
async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if let Some(trouble) = shared.link.trouble() {
            return shared.tell(Event::Broken(trouble));
        }
    }
}
