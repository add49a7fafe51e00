//! A call of an entry, with its arguments packed and the surroundings of the process that is to run it.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::Child;
use super::ending::{self, duplicate, not_started};
use super::running::Running;
use crate::error::Error;
use crate::inherit;
use crate::launch::{Environment, Launched, Order, StartMethod};
use crate::link::{self, Outbox};
use crate::registry::{self, Dispatch, Entry};
use crate::sys::{self, Piped, Stdio};
use crate::wire::{CallHead, CodecError, Fault, Kind, Packed, Packer, Unpacker};

/// A call of a child entry: the arguments are packed, nothing is started.
///
/// `entry::call(…)` makes it; [`spawn`](Call::spawn) and [`run`](Call::run) start it. In between, the process that will
/// run it can be set up, as with [`std::process::Command`]. Unlike there, the program and its arguments are not for
/// choosing: the child is this program, with this program's arguments.
///
/// ```
/// use std::time::Duration;
/// use spawnsafe::{child_entry, Stdio};
///
/// #[child_entry]
/// fn greet(name: &str) -> String {
///     println!("this goes nowhere");
///     format!("{} {name}", std::env::var("GREETING").unwrap_or_default())
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let greeting = greet::call("Ada")
///     .env("GREETING", "Good morning")
///     .stdout(Stdio::null())
///     .timeout(Duration::from_secs(60))
///     .run()?;
/// assert_eq!(greeting, "Good morning Ada");
/// # Ok(()) }
/// ```
#[must_use = "nothing runs until `spawn` or `run` is called"]
pub struct Call<R> {
    plan: Plan,
    unpack: Unpack<R>,
}

/// How the parent unpacks a result.
pub(crate) type Unpack<R> = fn(&mut Unpacker<'_>) -> Result<R, CodecError>;

/// A call without the type of its result, so that all code that is not about values exists once.
struct Plan {
    entry: &'static Entry,
    packed: Result<Packed, Fault>,
    name: Option<String>,
    environment: Environment,
    current_dir: Option<PathBuf>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    timeout: Option<Duration>,
    start_method: StartMethod,
    /// What was set that concerns the process, and not the call.
    altered: Option<&'static str>,
}

/// A call without a process of its own: what a pool takes.
pub(crate) struct Task<R> {
    pub(crate) entry: &'static Entry,
    pub(crate) index: u32,
    pub(crate) packed: Packed,
    pub(crate) timeout: Option<Duration>,
    pub(crate) unpack: Unpack<R>,
}

/// The arguments of a call while they are being packed, one after another; used by generated code only.
#[derive(Debug)]
pub struct Arguments {
    entry: &'static Entry,
    packer: Packer,
    fault: Option<Fault>,
}

impl Arguments {
    /// No argument is packed yet.
    #[must_use]
    pub fn new(entry: &'static Entry) -> Self {
        Self { entry, packer: link::packer(), fault: None }
    }

    /// Where the next argument goes.
    pub fn packer(&mut self) -> &mut Packer {
        &mut self.packer
    }

    /// Notes how the packing of the argument `name` went. What fails surfaces when the call is started.
    pub fn packed(&mut self, name: &'static str, done: Result<(), CodecError>) {
        if let (Err(error), None) = (done, &self.fault) {
            self.fault = Some(Fault::argument(name, error));
        }
    }

    /// All arguments are packed.
    pub fn call<R>(self, unpack: Unpack<R>) -> Call<R> {
        Call { plan: self.plan(), unpack }
    }

    fn plan(self) -> Plan {
        Plan {
            entry: self.entry,
            packed: match self.fault {
                None => Ok(self.packer.finish()),
                Some(fault) => Err(fault),
            },
            name: None,
            environment: Environment::default(),
            current_dir: None,
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            timeout: None,
            start_method: StartMethod::usual(),
            altered: None,
        }
    }
}

impl<R> Call<R> {
    /// Names the process, for people: on Linux `ps`, `top` and `/proc/<id>/comm` show the first 15 bytes, on Windows
    /// debuggers show it as that of the main thread, on macOS nothing does. By default
    /// it is called what this process is called.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.plan.name = Some(name.into());
        self.plan.altered = Some("name");
        self
    }

    /// Sets a variable in the child's environment, which is otherwise a copy of this process's.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.plan.environment.set(key.as_ref(), value.as_ref());
        self.plan.altered = Some("env");
        self
    }

    /// Sets several variables in the child's environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        for (key, value) in variables {
            self.plan.environment.set(key.as_ref(), value.as_ref());
            self.plan.altered = Some("envs");
        }
        self
    }

    /// Removes a variable from the child's environment.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.plan.environment.remove(key.as_ref());
        self.plan.altered = Some("env_remove");
        self
    }

    /// Starts the child with an empty environment, but for what is set after this.
    pub fn env_clear(mut self) -> Self {
        self.plan.environment.clear();
        self.plan.altered = Some("env_clear");
        self
    }

    /// Sets the child's working directory. It is an [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) from the child if it
    /// cannot be entered.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.plan.current_dir = Some(dir.as_ref().to_owned());
        self.plan.altered = Some("current_dir");
        self
    }

    /// What the child's standard input is connected to; by default, what this process's is.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.plan.stdin = stdin.into();
        self.plan.altered = Some("stdin");
        self
    }

    /// What the child's standard output is connected to; by default, what this process's is.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.plan.stdout = stdout.into();
        self.plan.altered = Some("stdout");
        self
    }

    /// What the child's standard error is connected to; by default, what this process's is.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.plan.stderr = stderr.into();
        self.plan.altered = Some("stderr");
        self
    }

    /// Kills the child if it has not answered within this time, counted from its start. Joining it then gives
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut). The child is killed whether or not somebody waits for it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = Some(timeout);
        self
    }

    /// How the process comes to be.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.plan.start_method = method;
        self.plan.altered = Some("start_method");
        self
    }

    /// Starts the child and returns at once; [`Child::join`] waits for the result.
    ///
    /// Arguments that fit into the connection's buffer (some 200 KiB) are handed to the system before the child
    /// exists. Longer ones are sent before this returns, as fast as the child reads them.
    ///
    /// # Errors
    /// [`NoProcessMain`](crate::ErrorKind::NoProcessMain), [`DuplicateEntry`](crate::ErrorKind::DuplicateEntry),
    /// [`Encode`](crate::ErrorKind::Encode) if an argument cannot be packed, [`Spawn`](crate::ErrorKind::Spawn) if the system
    /// refuses. No process is left behind.
    pub fn spawn(self) -> Result<Child<R>, Error> {
        let (mut running, piped) = self.plan.start()?;
        running.kill_when_due()?;
        Ok(Child::new(running, piped, self.unpack))
    }

    /// Starts the child and waits for its result: [`spawn`](Call::spawn) and [`join`](Child::join).
    ///
    /// # Errors
    /// Those of both.
    pub fn run(self) -> Result<R, Error> {
        // Whoever waits keeps the time as well: no other thread need watch.
        let (running, piped) = self.plan.start()?;
        Child::new(running, piped, self.unpack).join()
    }

    /// For a process that is there already.
    pub(crate) fn into_task(self) -> Result<Task<R>, Error> {
        let Plan { entry, packed, timeout, altered, .. } = self.plan;
        let task = || {
            if let Some(setter) = altered {
                return Err(ending::not_for_a_pool(setter));
            }
            let index = registry::index_of(entry).map_err(|found| duplicate(&found))?;
            Ok(Task {
                entry,
                index,
                packed: packed.map_err(|fault| ending::not_packed(&fault))?,
                timeout,
                unpack: self.unpack,
            })
        };
        task().map_err(|error| error.in_entry(entry.name()))
    }
}

/// Whether this process can start children, and where those take over.
pub(crate) fn may_start() -> Result<Dispatch, Error> {
    let dispatch = registry::dispatch().ok_or_else(ending::no_process_main)?;
    if sys::has_raised_privileges() {
        return Err(ending::raised_privileges());
    }
    if !sys::can_start_again() {
        return Err(ending::started_by_loader());
    }
    Ok(dispatch)
}

impl Plan {
    fn start(self) -> Result<(Running, Piped), Error> {
        let entry = self.entry;
        self.order()
            .and_then(|(order, method, timeout)| {
                let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
                let Launched { peer, piped, outbox, shared: _ } =
                    method.launcher().launch(order).map_err(not_started)?;
                let mut running = Running::new(entry.name(), peer, outbox, deadline.zip(timeout));
                running.send();
                Ok((running, piped))
            })
            .map_err(|error| error.in_entry(entry.name()))
    }

    fn order(self) -> Result<(Order, StartMethod, Option<Duration>), Error> {
        let dispatch = may_start()?;
        let index = registry::index_of(self.entry).map_err(|found| duplicate(&found))?;
        let packed = self.packed.map_err(|fault| ending::not_packed(&fault))?;
        let head = CallHead {
            build: sys::build_id(),
            index,
            position: self.entry.position(),
            name: self.entry.name(),
            process_name: self.name.as_deref().unwrap_or_else(|| own_name()),
            current_dir: self.current_dir.as_deref().unwrap_or(Path::new("")).as_os_str().as_encoded_bytes(),
        };
        let order = Order {
            dispatch,
            environment: self.environment,
            stdin: self.stdin,
            stdout: self.stdout,
            stderr: self.stderr,
            outbox: Outbox::with_pieces(Kind::Call, &head.encode(), inherit::snapshot()?, packed),
            shared: None,
        };
        Ok((order, self.start_method, self.timeout))
    }
}

/// What this process is called: a child would be called after the link that it was started from.
pub(crate) fn own_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(sys::process_name)
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("entry", &self.plan.entry.name()).finish_non_exhaustive()
    }
}
