//! Where the NATS server is, how it is talked to, and which queue is meant.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use spawnsafe::__private::engines::{self, Carrier, Transport, Wake};
use spawnsafe::{Engine, Error, ErrorKind};

use crate::names::{Names, is_plain, plain};
use crate::queue::Queue;
use crate::{carrier, queue};

/// More workers than any machine has.
pub(crate) const MOST_WORKERS: usize = 1 << 16;

/// How many tasks or parcels a queue holds, unless it is said otherwise.
const LIMIT: u64 = 100_000;

/// How long answers are kept.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an agent may not say that it works on a task.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A NATS server, and a queue on it.
///
/// It is read from a URL and the environment, and can be changed by its methods:
/// `nats://host:4222,other:4222?app=prices&version=3`. The program that submits and those that work must mean the same: the
/// same `app` and `version`. Other parts behind the `?` are `replicas`, `queue` (how many tasks it holds), `keep` and
/// `heartbeat` (in seconds), and, for those that work, `workers`. With `tls://` the connection is encrypted, whatever the
/// server asks for.
///
/// Secrets do not belong into a URL that is printed: they are read from `SPAWNSAFE_NATS_TOKEN`, or `SPAWNSAFE_NATS_USER` and
/// `SPAWNSAFE_NATS_PASSWORD`; files from `SPAWNSAFE_NATS_CA`, `SPAWNSAFE_NATS_CERT` and `SPAWNSAFE_NATS_KEY`.
/// `user:password@` and `token@` in the URL are understood as well, and never shown.
///
/// ```
/// use spawnsafe_nats::Nats;
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let nats = Nats::new("nats://one,two")?.app("prices").version("3").replicas(3);
/// assert_eq!(nats.to_string(), "nats://one,two?app=prices&version=3");
/// assert!(Nats::new("http://one").is_err());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Nats {
    pub(crate) servers: Vec<String>,
    pub(crate) tls: bool,
    pub(crate) secret: Option<Secret>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) app: String,
    /// `None` for the build of this program.
    pub(crate) version: Option<String>,
    pub(crate) replicas: usize,
    pub(crate) limit: u64,
    pub(crate) keep: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) workers: Option<usize>,
}

/// Who this is to the server.
#[derive(Clone)]
pub(crate) enum Secret {
    Token(String),
    Password(String, String),
}

impl Nats {
    /// The server and the queue that a URL means.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`] if it cannot be read.
    pub fn new(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(|| wrong("it has no `://`"))?;
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            _ => return Err(wrong("it begins with neither `nats://` nor `tls://`")),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut nats = Self::usual(tls)?;
        let mut servers = Vec::new();
        for server in place.trim_end_matches('/').split(',').filter(|server| !server.is_empty()) {
            let server = match server.rsplit_once('@') {
                None => server,
                Some((secret, server)) => {
                    nats.secret = Some(match secret.split_once(':') {
                        Some((user, password)) => Secret::Password(decoded(user)?, decoded(password)?),
                        None => Secret::Token(decoded(secret)?),
                    });
                    server
                }
            };
            servers.push(server.to_owned());
        }
        if servers.is_empty() {
            return Err(wrong("it names no host"));
        }
        nats.servers = servers;
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong(&format!("`{part}` has no `=`")))?;
            nats.set(key, &decoded(value)?)?;
        }
        Ok(nats)
    }

    /// What the environment says, and what is not said.
    fn usual(tls: bool) -> Result<Self, Error> {
        let variable =
            |name: &str| std::env::var(format!("SPAWNSAFE_NATS_{name}")).ok().filter(|text| !text.is_empty());
        let secret = match (variable("TOKEN"), variable("USER"), variable("PASSWORD")) {
            (Some(token), _, _) => Some(Secret::Token(token)),
            (None, Some(user), password) => Some(Secret::Password(user, password.unwrap_or_default())),
            (None, None, _) => None,
        };
        let certificate = match (variable("CERT"), variable("KEY")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(wrong("SPAWNSAFE_NATS_CERT and SPAWNSAFE_NATS_KEY are set together or not at all")),
        };
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(Path::file_stem).map(|name| plain(&name.to_string_lossy()));
        Ok(Self {
            servers: Vec::new(),
            tls,
            secret,
            ca: variable("CA").map(PathBuf::from),
            certificate,
            app: program.filter(|name| !name.is_empty()).unwrap_or_else(|| "program".into()),
            version: None,
            replicas: 1,
            limit: LIMIT,
            keep: KEEP,
            heartbeat: HEARTBEAT,
            workers: None,
        })
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let number = || value.parse::<u64>().map_err(|_| wrong(&format!("`{key}={value}` is no number")));
        let seconds = || {
            let seconds = value.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            seconds.ok_or_else(|| wrong(&format!("`{key}={value}` is no number of seconds")))
        };
        match key {
            "app" | "version" if !is_plain(value) => {
                return Err(wrong(&format!("`{key}={value}` is not made of letters, digits, `-` and `_`")));
            }
            "app" => value.clone_into(&mut self.app),
            "version" => self.version = Some(value.to_owned()),
            "replicas" => self.replicas = number()?.clamp(1, 5) as usize,
            "queue" => self.limit = number()?.max(1),
            "workers" => self.workers = Some(number()?.clamp(1, MOST_WORKERS as u64) as usize),
            "keep" => self.keep = seconds()?.max(Duration::from_secs(1)),
            "heartbeat" => *self = self.clone().heartbeat(seconds()?),
            _ => return Err(wrong(&format!("there is no `{key}`"))),
        }
        Ok(())
    }

    /// What the program is called among those on the same server; by default, as its file is. What it may not contain becomes
    /// `_`: all but letters, digits, `-` and `_`.
    #[must_use]
    pub fn app(mut self, name: &str) -> Self {
        self.app = if is_plain(name) { name.to_owned() } else { plain(name) };
        self
    }

    /// Which programs understand each other's tasks. By default only those of one build do. With a version of your own, which
    /// you change whenever an entry, its arguments or its result change, other builds work on the tasks as well; those of
    /// the old version are run by the old program, as long as some of it are there.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(if is_plain(version) { version.to_owned() } else { plain(version) });
        self
    }

    /// The token that the server asks for.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.secret = Some(Secret::Token(token.into()));
        self
    }

    /// The user and the password that the server asks for.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.secret = Some(Secret::Password(name.into(), password.into()));
        self
    }

    /// The file, in PEM, of the authority that has signed the server's certificate, if the system does not know it. The
    /// connection is encrypted.
    #[must_use]
    pub fn authority(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(path.into());
        self
    }

    /// The files, in PEM, of this client's certificate and its key, where the server asks for them.
    #[must_use]
    pub fn certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.certificate = Some((certificate.into(), key.into()));
        self
    }

    /// On how many servers of a cluster each task and each answer is stored: 1, 3 or 5. What it is when the queue is first
    /// used is what it stays.
    #[must_use]
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count.clamp(1, 5);
        self
    }

    /// How many messages the queue holds; 100,000 by default. Whoever submits more waits. What it is when the queue is first
    /// used is what it stays.
    #[must_use]
    pub fn queue_limit(mut self, messages: u64) -> Self {
        self.limit = messages.max(1);
        self
    }

    /// How long answers are kept for whoever collects them; a day by default.
    #[must_use]
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep = time.max(Duration::from_secs(1));
        self
    }

    /// How long an agent may not say that it works on a task until that is given to another one, or counts as lost; 30
    /// seconds by default, and one at least. Agents say it three times in that time. What the agent says that was started
    /// last is what counts.
    #[must_use]
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.heartbeat = limit.max(Duration::from_secs(1));
        self
    }

    /// The engine for a pool.
    #[must_use]
    pub fn engine(&self) -> Engine {
        Engine::__of(Arc::new(self.clone()))
    }

    /// The queue for tasks that nobody waits for, or that somebody else collects.
    ///
    /// # Errors
    /// As [`Queue::connect`].
    pub fn queue(&self) -> Result<Queue, Error> {
        queue::connect(self.clone())
    }

    pub(crate) fn names(&self) -> Names {
        let version = self.version.clone().unwrap_or_else(|| format!("build-{:016x}", engines::build_id()));
        Names::new(&self.app, &version)
    }
}

fn wrong(why: &str) -> Error {
    engines::error(
        ErrorKind::Spawn,
        format!("the URL of a NATS server cannot be understood: {why}; write `nats://HOST:4222`"),
    )
}

/// A part of a URL without its `%`.
fn decoded(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(wrong("a `%` in it has no two digits")),
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is no text"))
}

impl Transport for Nats {
    fn url(&self) -> String {
        self.to_string()
    }

    fn connect(&self, _: Duration, wake: Wake) -> Result<Box<dyn Carrier>, Error> {
        Ok(Box::new(carrier::connect(self.clone(), wake)?))
    }
}

/// The URL without what is secret in it.
impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        write!(f, "{scheme}://{}?app={}", self.servers.join(","), self.app)?;
        match &self.version {
            Some(version) => write!(f, "&version={version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("url", &self.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_secrets_are_not_shown() {
        let url =
            "nats://me:s%40cret@one:4222,two?app=a&version=v-1&replicas=3&queue=50&keep=60&heartbeat=2.5&workers=4";
        let nats = Nats::new(url).unwrap();
        assert_eq!(nats.servers, ["one:4222", "two"]);
        assert!(matches!(&nats.secret, Some(Secret::Password(user, password)) if user == "me" && password == "s@cret"));
        assert_eq!((nats.replicas, nats.limit, nats.workers), (3, 50, Some(4)));
        assert_eq!((nats.keep, nats.heartbeat), (Duration::from_secs(60), Duration::from_millis(2500)));
        assert_eq!(nats.to_string(), "nats://one:4222,two?app=a&version=v-1");
        assert!(!format!("{nats:?}").contains("cret"));
        let token = Nats::new("tls://t0k3n@one").unwrap();
        assert!(token.tls && matches!(&token.secret, Some(Secret::Token(token)) if token == "t0k3n"));
        for wrong in ["", "one", "http://one", "nats://", "nats://one?app=a.b", "nats://one?x=1", "nats://one?queue=x"]
        {
            let error = Nats::new(wrong).unwrap_err();
            assert!(error.to_string().contains("nats://HOST"), "{wrong}: {error}");
        }
    }
}
