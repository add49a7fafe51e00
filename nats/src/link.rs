//! The connection to a server, and the streams of a queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use bytes::Bytes;
use spawnsafe::__private::engines;
use spawnsafe::{Error, ErrorKind};

use crate::names::Names;
use crate::settings::{MOST_WORKERS, Nats, Secret};

/// How long the server may take to let this client in.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to answer a question or to store something. Both are tried again: where the server is lost that leads a
/// cluster, another one does soon.
const ANSWER: Duration = Duration::from_secs(3);

/// How long a cluster may take to agree on who leads it.
const AGREEMENT: Duration = Duration::from_secs(15);

/// In which time the server takes a second message with the id of another one for the same.
const SAME: Duration = Duration::from_secs(120);

/// How long it is kept at most who has taken a task: far longer than any is in a queue. It is removed with its task; this is
/// for what is left of agents that are killed in between.
const CLAIMS: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long answers are kept for pools, which take them at once.
pub(crate) const POOLS: Duration = Duration::from_secs(60 * 60);

/// What a message has besides what it carries: its subject and its headers.
const OVERHEAD: usize = 1024;

/// A connection that comes back by itself.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    pub(crate) names: Names,
    pub(crate) settings: Nats,
    trouble: Trouble,
}

/// The streams of a queue. They are never purged of some subjects only: until 2.9.15 or so that makes servers forget what
/// else consumers have not got.
pub(crate) struct Streams {
    pub(crate) tasks: Stream,
    pub(crate) claims: Stream,
    pub(crate) results: Stream,
    pub(crate) pools: Stream,
}

/// Why nothing more will work, once that is so.
type Trouble = Arc<Mutex<Option<String>>>;

/// Why a message is not stored.
pub(crate) enum Refusal {
    /// The subject has one already, and is to have one only.
    Taken,
    /// It may be stored when it is tried again.
    NotNow(String),
    Never(String),
}

/// Connects once. `true` with an error that another try would give again.
pub(crate) async fn connect(settings: &Nats) -> Result<Link, (Error, bool)> {
    let trouble = Trouble::default();
    let noted = Arc::clone(&trouble);
    let mut options = ConnectOptions::new()
        .name("spawnsafe")
        .connection_timeout(PATIENCE)
        .ping_interval(Duration::from_secs(10))
        .max_reconnects(None)
        .reconnect_delay_callback(|attempt| Duration::from_millis(if attempt < 2 { 20 } else { 250 }))
        .event_callback(move |event| {
            note(&event, &noted);
            async {}
        });
    if settings.tls || settings.ca.is_some() || settings.certificate.is_some() {
        options = options.require_tls(true);
    }
    if let Some(path) = &settings.ca {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &settings.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options = match settings.secret.clone() {
        None => options,
        Some(Secret::Token(token)) => options.token(token),
        Some(Secret::Password(user, password)) => options.user_and_password(user, password),
    };
    let scheme = if settings.tls { "tls" } else { "nats" };
    let servers: Result<Vec<ServerAddr>, _> =
        settings.servers.iter().map(|server| format!("{scheme}://{server}").parse()).collect();
    let servers = servers.map_err(|error| (failed(settings, "its address cannot be read", error), true))?;
    let client = options.connect(servers).await.map_err(|error| {
        use ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse, Tls};
        let (what, is_final) = match error.kind() {
            Authentication | AuthorizationViolation => {
                ("it does not let this client in: give it the right token or password with SPAWNSAFE_NATS_TOKEN, or \
                  SPAWNSAFE_NATS_USER and SPAWNSAFE_NATS_PASSWORD", true)
            }
            Tls => ("no encrypted connection is made: do SPAWNSAFE_NATS_CA, SPAWNSAFE_NATS_CERT and SPAWNSAFE_NATS_KEY name \
                     the right files", true),
            ServerParse => ("its address cannot be read", true),
            _ => ("it cannot be reached", false),
        };
        (failed(settings, what, error), is_final)
    })?;
    let mut jetstream = jetstream::new(client.clone());
    jetstream.set_timeout(ANSWER);
    Ok(Link { client, jetstream, names: settings.names(), settings: settings.clone(), trouble })
}

/// What it means that a message was not stored.
pub(crate) fn refusal(error: &PublishError) -> Refusal {
    let why = chain(error);
    match error.kind() {
        PublishErrorKind::WrongLastSequence => Refusal::Taken,
        PublishErrorKind::MaxPayloadExceeded => Refusal::Never(why),
        _ => Refusal::NotNow(why),
    }
}

/// Keeps what says that the server does not want this client any more.
fn note(event: &Event, trouble: &Mutex<Option<String>>) {
    let text = match event {
        Event::ServerError(ServerError::AuthorizationViolation) => Some("authorization violation".to_owned()),
        Event::ServerError(error) => Some(error.to_string()),
        Event::ClientError(error) => Some(error.to_string()),
        _ => None,
    };
    let is_final = |text: &String| {
        let text = text.to_lowercase();
        ["authorization", "authentication", "permissions violation"].iter().any(|word| text.contains(word))
    };
    if let Some(text) = text.filter(is_final) {
        *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

fn failed(settings: &Nats, what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = format!("the NATS server {settings}: {what}: {}", chain(&error));
    engines::error_with(ErrorKind::Spawn, message, error)
}

/// An error with its causes, in one line, each of which says something that is not in the one above.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl Link {
    /// How long a message may be.
    pub(crate) fn largest(&self) -> usize {
        self.client.server_info().max_payload.saturating_sub(OVERHEAD)
    }

    /// Why nothing more will work, if that is so.
    pub(crate) fn trouble(&self) -> Option<Error> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let server = &self.settings;
        Some(engines::error(
            ErrorKind::Spawn,
            format!("the NATS server {server} does not let this client in: {trouble}"),
        ))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The streams, which are made if they are not there.
    pub(crate) async fn streams(&self) -> Result<Streams, Error> {
        let until = tokio::time::Instant::now() + AGREEMENT;
        loop {
            match self.try_streams().await {
                Ok(streams) => return Ok(streams),
                Err(error) => {
                    if let Some(trouble) = self.trouble() {
                        return Err(trouble);
                    }
                    if tokio::time::Instant::now() >= until || chain(&error).contains("not enabled") {
                        return Err(failed(&self.settings, "its JetStream keeps no streams for us", error));
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    async fn try_streams(&self) -> Result<Streams, jetstream::context::CreateStreamError> {
        let Nats { replicas, limit, keep, .. } = self.settings;
        let tasks = Config {
            name: self.names.tasks_stream(),
            subjects: vec![self.names.task(">")],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: i64::try_from(limit).unwrap_or(i64::MAX),
            storage: StorageType::File,
            num_replicas: replicas,
            duplicate_window: SAME,
            ..Config::default()
        };
        let claims = Config {
            name: self.names.claims_stream(),
            subjects: vec![self.names.all_traces()],
            max_age: CLAIMS,
            storage: StorageType::File,
            num_replicas: replicas,
            duplicate_window: SAME,
            ..Config::default()
        };
        let results = Config {
            name: self.names.results_stream(),
            subjects: vec![self.names.result("q.>")],
            max_age: keep,
            storage: StorageType::File,
            num_replicas: replicas,
            duplicate_window: SAME.min(keep),
            ..Config::default()
        };
        let pools = Config {
            name: self.names.pools_stream(),
            subjects: vec![self.names.result("p.>")],
            max_age: POOLS,
            duplicate_window: SAME,
            ..results.clone()
        };
        Ok(Streams {
            tasks: self.jetstream.get_or_create_stream(tasks).await?,
            claims: self.jetstream.get_or_create_stream(claims).await?,
            results: self.jetstream.get_or_create_stream(results).await?,
            pools: self.jetstream.get_or_create_stream(pools).await?,
        })
    }

    /// Stores a message, which is the same as another one with this id, and gives its number in the stream. With `is_only` its
    /// subject is to have no other.
    pub(crate) async fn store(&self, subject: String, id: &str, is_only: bool, bytes: Bytes) -> Result<u64, Refusal> {
        let mut publish = PublishMessage::build().message_id(id).payload(bytes);
        if is_only {
            publish = publish.expected_last_subject_sequence(0);
        }
        let stored = match self.jetstream.send_publish(subject, publish).await {
            Ok(acknowledged) => acknowledged.await,
            Err(error) => Err(error),
        };
        let refused = match stored {
            Ok(stored) => return Ok(stored.sequence),
            Err(error) => error,
        };
        if refused.kind() == PublishErrorKind::StreamNotFound {
            // It was deleted, or nobody leads it now.
            let _ = self.try_streams().await;
        }
        Err(refusal(&refused))
    }

    /// Stores a message, however long it takes, and gives its number; nothing if its subject has one already and is to have one
    /// only. The error is of one that never will be.
    pub(crate) async fn store_surely(
        &self,
        subject: &str,
        id: &str,
        is_only: bool,
        bytes: Bytes,
    ) -> Result<Option<u64>, String> {
        let mut tries = 0_u32;
        loop {
            match self.store(subject.to_owned(), id, is_only, bytes.clone()).await {
                Ok(number) => return Ok(Some(number)),
                Err(Refusal::Taken) => return Ok(None),
                Err(Refusal::Never(why)) => return Err(why),
                Err(Refusal::NotNow(why)) => {
                    if let Some(trouble) = self.trouble() {
                        return Err(format!("{trouble}: {why}"));
                    }
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(if tries < 5 { 20 } else { 200 })).await;
                }
            }
        }
    }

    /// All messages of these subjects, however long it takes to get them.
    pub(crate) async fn all(&self, stream: &Stream, subjects: &str) -> Vec<StreamMessage> {
        let (mut messages, mut next) = (Vec::new(), 1);
        loop {
            match stream.get_first_raw_message_by_subject(subjects, next).await {
                Ok(message) => {
                    next = message.sequence + 1;
                    messages.push(message);
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return messages,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    self.mend_streams().await;
                }
            }
        }
    }

    /// Removes a message, however long it takes; `false` if the server does not let that be.
    pub(crate) async fn delete_surely(&self, stream: &Stream, number: u64) -> bool {
        let mut refusals = 0;
        while stream.delete_message(number).await.is_err() {
            match stream.get_raw_message(number).await {
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => break,
                Ok(_) => refusals += 1,
                Err(_) => {}
            }
            if refusals > 10 || self.trouble().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        true
    }

    /// Makes streams again that somebody has deleted. Not if the server is away.
    pub(crate) async fn mend_streams(&self) {
        if self.is_connected() {
            // What goes wrong goes wrong for whoever needs them.
            let _ = self.try_streams().await;
        }
    }

    /// Says something to whoever listens.
    pub(crate) async fn say(&self, subject: String, bytes: Bytes) {
        // Nobody relies on it.
        let _ = self.client.publish(subject, bytes).await;
    }
}

/// How many workers an agent says to have.
pub(crate) fn workers_in(beat: &async_nats::Message) -> Option<usize> {
    let number = beat.payload.split(|&byte| byte == b'\n').next()?;
    let workers: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(workers.min(MOST_WORKERS))
}
