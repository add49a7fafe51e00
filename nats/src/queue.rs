//! Tasks that outlive whoever has submitted them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use spawnsafe::__private::engines;
use spawnsafe::{Call, Error, ErrorKind, SpawnSafe};
use tokio::time::Instant;

use crate::link::{self, Link, Refusal, Streams, chain};
use crate::names::{self, Trace, fresh, is_plain};
use crate::settings::Nats;
use crate::{complain, wait};

/// How often it is looked whether a task or its answer is still there.
const LOOK: Duration = Duration::from_secs(1);

/// How often whoever waits looks whether anybody works, and how long agents may take to say so: they say it every two seconds.
const LONELY: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(3500);

/// A work queue on a NATS server: submit now, and collect later, from this process or another one.
///
/// ```no_run
/// use spawnsafe::child_entry;
/// use spawnsafe_nats::Queue;
///
/// #[child_entry(on_loss = retry(3))]
/// fn square(x: u64) -> u64 { x * x }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let queue = Queue::connect("nats://localhost:4222")?;
/// let id = queue.submit(square::call(12))?;
/// println!("{id}"); // kept anywhere: `id.to_string().parse()` is the same
///
/// let squared: u64 = queue.collect(&id)?; // here, or in another process, today or tomorrow
/// assert_eq!(squared, 144);
/// # Ok(()) }
/// ```
///
/// What is submitted is stored when [`submit`](Queue::submit) returns, and goes to a worker as soon as one has time: any
/// process of this program that was started with `SPAWNSAFE_AGENT=nats://…`. The inherited statics are those of the moment
/// at which it was submitted. An answer is stored before the task is taken off the queue, and only once.
#[derive(Clone)]
pub struct Queue {
    inside: Arc<Inside>,
}

struct Inside {
    link: Link,
    tasks: Stream,
    claims: Stream,
    results: Stream,
}

/// What a task is known by. It can be written down: its text is the same task in any process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(String);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let id = text.trim();
        match is_plain(id) {
            true => Ok(Self(id.to_owned())),
            false => Err(engines::error(ErrorKind::Decode, format!("{text:?} is not the id of a task"))),
        }
    }
}

pub(crate) fn connect(settings: Nats) -> Result<Queue, Error> {
    wait(async move {
        let link = link::connect(&settings).await.map_err(|(error, _)| error)?;
        let Streams { tasks, claims, results, .. } = link.streams().await?;
        Ok(Queue { inside: Arc::new(Inside { link, tasks, claims, results }) })
    })?
}

impl Queue {
    /// The queue that a URL means, as [`Nats`] reads it.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`] if the URL cannot be read, the server cannot be reached or does not let this client in, or has no
    /// JetStream.
    pub fn connect(url: &str) -> Result<Self, Error> {
        connect(Nats::new(url)?)
    }

    /// Puts a call into the queue. When this returns it is stored. Waits while the queue is full.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if an argument or an inherited static cannot be packed, is open or shared, or too long for a
    /// message of the server; [`ErrorKind::Spawn`] if something was set on the call that is about a process of its own, or the
    /// server does not let this client in any more.
    pub fn submit<R>(&self, call: Call<R>) -> Result<TaskId, Error> {
        self.put(call, None)
    }

    /// As [`submit`](Queue::submit), but waits no longer than this.
    ///
    /// # Errors
    /// As there; and [`ErrorKind::TimedOut`] if the queue was full, or the server away, for that long. It may have
    /// been stored all the same, if the server was away.
    pub fn submit_timeout<R>(&self, call: Call<R>, timeout: Duration) -> Result<TaskId, Error> {
        self.put(call, Some(timeout))
    }

    fn put<R>(&self, call: Call<R>, timeout: Option<Duration>) -> Result<TaskId, Error> {
        let posted = engines::post(call)?;
        let largest = self.inside.link.largest();
        if posted.bytes.len() > largest {
            return Err(engines::too_large(posted.entry, posted.bytes.len(), largest));
        }
        let id = fresh();
        let (inside, task, bytes) = (Arc::clone(&self.inside), id.clone(), Bytes::from(posted.bytes));
        wait(async move { inside.put(&task, bytes, timeout).await })??;
        Ok(TaskId(id))
    }

    /// Waits for the answer of a task. It stays where it is, and can be collected again as long as it is kept.
    ///
    /// A task is in the queue for as long as it takes, also where nobody works; after ten seconds a line on standard error
    /// says so. Where agents were there that could start no worker for it, and no other one is, waiting would be in vain: that is an
    /// error with what they have said. The task stays in the queue for an agent that can, and can be collected then.
    ///
    /// # Errors
    /// Whatever has kept the entry from returning a value: see [`ErrorKind`]. [`ErrorKind::Lost`] if its worker's node has
    /// vanished; [`ErrorKind::Spawn`], mostly, if workers can be started nowhere; [`ErrorKind::Cancelled`]; [`ErrorKind::Closed`] if there is no such task any more; [`ErrorKind::Decode`] if
    /// the answer is no `R`.
    pub fn collect<R: SpawnSafe>(&self, id: &TaskId) -> Result<R, Error> {
        self.get(id, None)
            .and_then(|answer| engines::open(&answer.expect("without a time limit it waits for the answer")))
    }

    /// As [`collect`](Queue::collect), for at most this long: `Ok(None)` if there is no answer by then.
    ///
    /// # Errors
    /// As there.
    pub fn collect_timeout<R: SpawnSafe>(&self, id: &TaskId, timeout: Duration) -> Result<Option<R>, Error> {
        self.get(id, Some(timeout))?.map(|answer| engines::open(&answer)).transpose()
    }

    fn get(&self, id: &TaskId, timeout: Option<Duration>) -> Result<Option<Bytes>, Error> {
        let (inside, id) = (Arc::clone(&self.inside), id.0.clone());
        // A time that no clock can express is for ever.
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        wait(async move { inside.get(&id, until).await })?
    }

    /// Takes a task off the queue, or kills the worker that runs it. Collecting it gives [`ErrorKind::Cancelled`], or its
    /// answer if that was faster.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the server does not answer.
    pub fn cancel(&self, id: &TaskId) -> Result<(), Error> {
        let (inside, id) = (Arc::clone(&self.inside), id.0.clone());
        wait(async move { inside.cancel(&id).await })?
    }

    /// Removes the answer of a task, which otherwise is kept for as long as [`Nats::keep`] says.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the server does not answer.
    pub fn forget(&self, id: &TaskId) -> Result<(), Error> {
        let (inside, id) = (Arc::clone(&self.inside), id.0.clone());
        wait(async move {
            let key = format!("q.{id}");
            inside.delete(&inside.results, &inside.link.names.answer(&key)).await
        })?
    }

    /// Removes the queue from the server, with all tasks and answers in it: those of an old version that nobody needs any more.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the server does not answer.
    pub fn remove(self) -> Result<(), Error> {
        wait(async move {
            let Inside { link, .. } = &*self.inside;
            let names = &link.names;
            let streams = [names.tasks_stream(), names.claims_stream(), names.results_stream(), names.pools_stream()];
            for stream in streams {
                // One that is not there was removed by somebody else, or by an earlier try.
                if let Err(error) = link.jetstream.delete_stream(&stream).await
                    && link.jetstream.get_stream(&stream).await.is_ok()
                {
                    return Err(unanswered(&error));
                }
            }
            Ok(())
        })?
    }
}

fn unanswered(error: &dyn std::error::Error) -> Error {
    engines::error(ErrorKind::System, format!("the NATS server has not done it: {}", chain(error)))
}

impl Inside {
    async fn put(&self, id: &str, bytes: Bytes, timeout: Option<Duration>) -> Result<(), Error> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let subject = self.link.names.task(&format!("q.{id}"));
        let mut pause = Duration::from_millis(5);
        loop {
            match self.link.store(subject.clone(), id, false, bytes.clone()).await {
                Ok(_) | Err(Refusal::Taken) => return Ok(()),
                Err(Refusal::Never(why)) => {
                    return Err(engines::error(ErrorKind::Encode, format!("the NATS server does not take it: {why}")));
                }
                Err(Refusal::NotNow(why)) => {
                    if let Some(trouble) = self.link.trouble() {
                        return Err(trouble);
                    }
                    if until.is_some_and(|until| Instant::now() >= until) {
                        let message =
                            format!("the task is not in the queue after {:?}: {why}", timeout.unwrap_or_default());
                        return Err(engines::error(ErrorKind::TimedOut, message));
                    }
                    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                    tokio::time::sleep(pause.min(left.unwrap_or(pause))).await;
                    pause = (pause * 2).min(Duration::from_millis(200));
                }
            }
        }
    }

    async fn get(&self, id: &str, until: Option<Instant>) -> Result<Option<Bytes>, Error> {
        let (key, mut announced) = (format!("q.{id}"), None);
        let (mut lonely, mut has_complained) = (Instant::now() + LONELY, false);
        let subject = self.link.names.answer(&key);
        loop {
            match self.look(&subject, &key).await? {
                Found::Answer(bytes) => return Ok(Some(bytes)),
                Found::Task if Instant::now() >= lonely => {
                    let is_alone = !self.is_served(until).await;
                    if is_alone && let Some(error) = self.unfit(&key).await {
                        return Err(error);
                    }
                    if is_alone && !std::mem::replace(&mut has_complained, true) {
                        complain(format_args!(
                            "a task waits, and {}",
                            engines::nobody(&self.link.settings.to_string())
                        ));
                    }
                    lonely = Instant::now() + LONELY;
                }
                Found::Task | Found::Unknown => {}
            }
            if let Some(trouble) = self.link.trouble() {
                return Err(trouble);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
            // From now on it is heard when an answer is about to be stored; so it is looked once more.
            let Some(announced) = &mut announced else {
                announced = self.link.client.subscribe(subject.clone()).await.ok();
                // The server has seen that before what is asked next.
                let _ = self.link.client.flush().await;
                if announced.is_none() {
                    tokio::time::sleep(LOOK).await;
                }
                continue;
            };
            let look = Instant::now() + LOOK;
            let _ = tokio::time::timeout_at(until.map_or(look, |until| until.min(look)), announced.next()).await;
        }
    }

    /// Whether an agent is there that has workers.
    async fn is_served(&self, until: Option<Instant>) -> bool {
        let names = &self.link.names;
        let Ok(mut beats) = self.link.client.subscribe(names.beat("*")).await else { return true };
        let silence = Instant::now() + SILENCE;
        // Who has no more time does not know.
        let is_short = until.is_some_and(|until| until < silence);
        let silence = until.map_or(silence, |until| until.min(silence));
        while let Ok(Some(beat)) = tokio::time::timeout_at(silence, beats.next()).await {
            if link::workers_in(&beat).is_some_and(|workers| workers > 0) {
                return true;
            }
        }
        // Nor does who is alone because the server is away.
        is_short || !self.link.is_connected()
    }

    /// Why the last agent that has given a task back could not begin it.
    async fn unfit(&self, key: &str) -> Option<Error> {
        let note = self.claims.get_last_raw_message_by_subject(&self.link.names.note(key)).await.ok()?;
        let Trace::HandedBack { node, why, .. } = names::trace(&note.payload, &note.subject) else { return None };
        let error = engines::failure_in(&why)?;
        let message = format!(
            "the task waits in the queue, and no agent is there that could begin it: {}",
            engines::unfit(&node, &error)
        );
        Some(engines::error(error.kind(), message))
    }

    async fn look(&self, subject: &str, key: &str) -> Result<Found, Error> {
        for is_last in [false, true] {
            match self.stored(&self.results, subject).await {
                Stored::Yes(bytes) => return Ok(Found::Answer(bytes)),
                Stored::Unknown => return Ok(Found::Unknown),
                // It goes off the queue after its answer is there.
                Stored::No if is_last => break,
                Stored::No => match self.stored(&self.tasks, &self.link.names.task(key)).await {
                    Stored::Yes(_) => return Ok(Found::Task),
                    Stored::Unknown => return Ok(Found::Unknown),
                    Stored::No => {}
                },
            }
        }
        let message = format!(
            "there is no task of this id in {}: its answer was kept for its time or forgotten, or it was never there",
            self.link.settings
        );
        Err(engines::error(ErrorKind::Closed, message))
    }

    async fn stored(&self, stream: &Stream, subject: &str) -> Stored {
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Stored::Yes(message.payload),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Stored::No,
            // The server is away, say, or somebody has removed the queue.
            Err(_) => {
                self.link.mend_streams().await;
                Stored::Unknown
            }
        }
    }

    /// Removes the messages of this subject.
    async fn delete(&self, stream: &Stream, subject: &str) -> Result<(), Error> {
        loop {
            match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => {
                    stream.delete_message(message.sequence).await.map_err(|error| unanswered(&error))?;
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(()),
                Err(error) => return Err(unanswered(&error)),
            }
        }
    }

    async fn cancel(&self, id: &str) -> Result<(), Error> {
        let key = format!("q.{id}");
        let error = engines::error(ErrorKind::Cancelled, "the task was cancelled by `Queue::cancel`");
        let answer = Bytes::from(engines::failure(&error));
        let subject = self.link.names.answer(&key);
        // Where there is an answer this is none.
        let stored = self.link.store_surely(&subject, id, true, answer).await;
        stored.map_err(|why| engines::error(ErrorKind::System, format!("the NATS server has not done it: {why}")))?;
        // What cannot be taken off the queue is not run, as it has an answer.
        if self.delete(&self.tasks, &self.link.names.task(&key)).await.is_ok() {
            let traces = [self.link.names.claim(&key), self.link.names.note(&key)];
            for subject in traces {
                let _ = self.delete(&self.claims, &subject).await;
            }
        }
        self.link.say(self.link.names.control(&format!("stop.{key}")), Bytes::from_static(&[1])).await;
        let _ = self.link.client.flush().await;
        Ok(())
    }
}

enum Found {
    Answer(Bytes),
    Task,
    /// Nobody can say.
    Unknown,
}

enum Stored {
    Yes(Bytes),
    No,
    Unknown,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("server", &self.inside.link.settings).finish_non_exhaustive()
    }
}
