//! Pools whose workers are on other machines: what an engine is, and how one is named.
//!
//! # How it works
//! An engine of somebody else's (Slurm, ssh, a container tool) owns the machines. All it must do is run a command there with
//! its standard input and output in our hands. On each node it starts this program once, in the role of an *agent* (`agent`):
//! an environment variable in front of the program's path says so, and `#[process_main]` takes the process over before the
//! body of `main`. The agent makes an ordinary pool of local workers, as many as the node has room for, and is that pool's
//! only user: tasks come from its standard input, answers go to its standard output.
//!
//! In this process each node is a seat of the pool, as a local worker is: a thread (`node`) that takes tasks from the same
//! queue, as long as the node has credit, many in one frame. Threads beside it read, write and listen to what the node
//! complains of (`remote`), as pipes block on some systems and in some directions for as long as they like.
//!
//! So there is one implementation of workers, of time limits and of cancelling, and one of queues, maps and tasks.
//!
//! # What keeps it honest
//! - A node is given nothing before it has said hello, which it says after it has compared the build of the program.
//! - Both sides say that they are alive when they have nothing else to say; whoever hears nothing for too long is alone.
//! - The agent's input has a thread of its own: its end ends the agent and its workers at once, whatever they do.
//! - The agent moves its standard output away before anything runs. What tasks print goes to standard error.
//! - Answers are never run twice. What a node had when it was lost may have run, so it counts as lost, and runs again only
//!   if its entry says `on_loss = retry(n)`.
//! - A node that cannot be started is tried again after growing pauses, and given up in the end.

mod agent;
mod answers;
mod credit;
mod foreign;
mod node;
mod parcel;
mod place;
mod queue;
mod remote;
mod texts;
pub(crate) mod words;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use agent::enter as enter_agent;
pub use agent::errand::Errand;
pub use agent::station::{Before, Station};
pub use foreign::{Carrier, Event, Scheme, Transport, Wake, build_id, error, error_with};
pub(super) use node::run;
pub use parcel::{Posted, failure, failure_in, nobody, open, post, too_large, unfit};
pub(super) use place::Place;
pub(super) use queue::{Line, run as run_queue};
pub(super) use texts::{not_carried, not_resized};

use crate::wire::Attachment;

use crate::error::Error;

/// The environment variable that [`Engine::from_env`] reads.
const VARIABLE: &str = "SPAWNSAFE_ENGINE";

/// How long a node may be silent, unless it is said otherwise.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How long it may be silent at most: agents are told it as a number of milliseconds.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[doc = include_str!("../../docs/engine.md")]
#[derive(Clone, Debug)]
pub struct Engine {
    kind: Kind,
    nodes: Option<usize>,
    program: Option<PathBuf>,
    heartbeat: Duration,
    start_timeout: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Kind {
    Local,
    Ssh {
        options: Vec<OsString>,
        hosts: Vec<OsString>,
    },
    Slurm {
        arguments: Vec<OsString>,
    },
    /// One for each node, or one for all.
    Command {
        prefixes: Vec<Vec<OsString>>,
    },
    /// A queue, by another crate.
    Foreign(Arc<dyn Transport>),
}

impl Engine {
    fn of(kind: Kind) -> Self {
        Self { kind, nodes: None, program: None, heartbeat: HEARTBEAT, start_timeout: None }
    }

    /// This machine: workers are child processes of this one. The default.
    #[must_use]
    pub fn local() -> Self {
        Self::of(Kind::Local)
    }

    /// Machines that `ssh` reaches without asking for anything: each host as the command takes it, a name of
    /// `~/.ssh/config`, `user@host`, or an address.
    pub fn ssh<H: Into<OsString>>(hosts: impl IntoIterator<Item = H>) -> Self {
        Self::of(Kind::Ssh { options: Vec::new(), hosts: hosts.into_iter().map(Into::into).collect() })
    }

    /// Nodes of a Slurm cluster, with these arguments for `srun`. Within an allocation (in a job script, or after `salloc`)
    /// these are its nodes. Outside of one each node is a job of its own; `-N 3` among the arguments asks for three.
    pub fn slurm<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::of(Kind::Slurm { arguments: arguments.into_iter().map(Into::into).collect() })
    }

    /// Wherever this command runs the one that is put behind it, with standard input and output: `docker run -i IMAGE`,
    /// `kubectl exec -i POD --`. Behind it is put `env SPAWNSAFE_AGENT=… PROGRAM`, unless the command says by `{agent}`
    /// (`SPAWNSAFE_AGENT=…`), `{program}` (the program's path) or `{node}` (the node's number) where they go.
    pub fn command<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::of(Kind::Command { prefixes: vec![words.into_iter().map(Into::into).collect()] })
    }

    /// What the environment variable `SPAWNSAFE_ENGINE` says, in the form that [`from_str`](Engine::from_str) reads;
    /// [`local`](Engine::local) if there is none, or nothing in it.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) if it says nothing that there is.
    pub fn from_env() -> Result<Self, Error> {
        words::from_variable(VARIABLE, |why| texts::no_engine(why))
    }

    /// On how many nodes the program is started. By default on each host for ssh, on each node of the allocation for Slurm,
    /// and once for a command. Locally it means nothing.
    #[must_use]
    pub fn nodes(mut self, count: usize) -> Self {
        self.nodes = Some(count);
        self
    }

    /// Where the program is on the nodes, if it is not under the path that it has here. It must be the same build.
    #[must_use]
    pub fn program(mut self, path: impl AsRef<Path>) -> Self {
        self.program = Some(path.as_ref().to_owned());
        self
    }

    /// How long a node may be silent until it counts as lost, and this process until nodes end by themselves; 30 seconds
    /// by default, and a tenth of a second at least; a year is as good as for ever. A node with nothing to say says so four
    /// times in that time.
    #[must_use]
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.heartbeat = limit.clamp(Duration::from_millis(100), LONGEST);
        self
    }

    /// How long it may take until a node says hello. By default two minutes, and for Slurm, where jobs wait until there is
    /// room, as long as it takes.
    #[must_use]
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = Some(limit);
        self
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local)
    }

    /// The way to its queue, if it has one.
    pub(super) fn line(&self) -> Option<Result<Line, Error>> {
        let Kind::Foreign(transport) = &self.kind else { return None };
        let wake = Wake::default();
        let carrier = transport.connect(self.heartbeat, wake.clone());
        Some(carrier.map(|carrier| Line {
            carrier,
            wake,
            url: transport.url(),
            heartbeat: self.heartbeat,
            start_timeout: self.start_timeout,
        }))
    }

    /// One for each node.
    pub(super) fn places(&self) -> Result<Vec<Place>, Error> {
        place::places(self)
    }
}

/// Whether what a call refers to besides its bytes can go to another machine: it cannot.
pub(super) fn check_carried(attachments: &[Attachment]) -> Result<(), Error> {
    match attachments.first() {
        None => Ok(()),
        Some(attachment) => Err(texts::argument_not_carried(attachment.argument())),
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::local()
    }
}

/// Reads `local`, `slurm`, `slurm:ARGUMENTS`, `ssh:HOST,HOST`, `ssh:OPTIONS HOST,HOST` or `command:COMMAND`. Arguments are
/// words as a shell has them, in quotes where they contain blanks. A word `;` between commands starts the next node's. A URL,
/// `nats://HOST`, is an engine of another crate, which must be part of the program.
///
/// ```
/// use spawnsafe::Engine;
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let engine: Engine = "slurm:-N 3 --partition=short".parse()?;
/// let engine: Engine = "ssh:-p 2222 ada@one,ada@two".parse()?;
/// let engine: Engine = "command:docker run -i --rm my-image".parse()?;
/// assert!("slrum".parse::<Engine>().is_err());
/// # Ok(()) }
/// ```
impl FromStr for Engine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, rest) = words::named(text);
        let words = || words::split(rest).map_err(texts::no_engine);
        match name {
            "" | "local" if rest.is_empty() => Ok(Self::local()),
            "slurm" => Ok(Self::slurm(words()?)),
            "ssh" => {
                let mut options = words()?;
                let hosts = options.pop().ok_or_else(|| texts::no_engine("`ssh:` needs hosts"))?;
                let hosts = hosts.split(',').filter(|host| !host.is_empty()).map(OsString::from).collect();
                Ok(Self::of(Kind::Ssh { options: options.into_iter().map(OsString::from).collect(), hosts }))
            }
            "command" => {
                let words = words()?;
                let prefixes = words.split(|word| word == ";").filter(|words| !words.is_empty());
                let prefixes = prefixes.map(|words| words.iter().map(OsString::from).collect()).collect();
                Ok(Self::of(Kind::Command { prefixes }))
            }
            _ if foreign::scheme(text.trim()) == Some(name) => {
                let scheme = foreign::find(name).map_err(texts::no_engine)?;
                (scheme.engine)(text.trim()).map(Self::__of)
            }
            _ => Err(texts::no_engine(format_args!("there is no `{}`", text.trim()))),
        }
    }
}

/// As [`FromStr`] reads it, without what the methods of an engine set besides.
impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Local => f.write_str("local"),
            Kind::Ssh { options, hosts } => {
                let hosts: Vec<_> = hosts.iter().map(|host| host.to_string_lossy()).collect();
                write!(f, "ssh:{}{}", words::join(options, " "), hosts.join(","))
            }
            Kind::Slurm { arguments } if arguments.is_empty() => f.write_str("slurm"),
            Kind::Slurm { arguments } => write!(f, "slurm:{}", words::join(arguments, "")),
            Kind::Command { prefixes } => {
                let prefixes: Vec<_> = prefixes.iter().map(|prefix| words::join(prefix, "")).collect();
                write!(f, "command:{}", prefixes.join(" ; "))
            }
            Kind::Foreign(transport) => f.write_str(&transport.url()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_read_and_written() {
        for text in [
            "local",
            "slurm",
            "slurm:-N 3 '--comment=a b'",
            "ssh:one,ada@two",
            "ssh:-p 22 one",
            "command:sh -c 'exec \"$@\"' --",
            "command:env A=1 ; env A=2",
        ] {
            assert_eq!(text.parse::<Engine>().unwrap().to_string(), text);
        }
        assert!("".parse::<Engine>().unwrap().is_local());
        for text in ["slrum", "ssh:", "command:'", "local:3", "nats://host"] {
            let error = text.parse::<Engine>().unwrap_err().to_string();
            assert!(error.contains(VARIABLE) && error.contains("command:"), "{error}");
        }
        // A crate that this program does not have.
        let error = "nats://host".parse::<Engine>().unwrap_err().to_string();
        assert!(error.contains("`spawnsafe-nats`") && error.contains("use spawnsafe_nats as _;"), "{error}");
        let error = "amqp://host".parse::<Engine>().unwrap_err().to_string();
        assert!(error.contains("amqp"), "{error}");
    }
}
