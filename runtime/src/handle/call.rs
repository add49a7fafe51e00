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
#[cfg(not(feature = "tracing"))]
use crate::features::FeatureTracing;
use crate::inherit;
use crate::launch::{Environment, Launched, Order, StartMethod};
use crate::link::{self, Outbox};
use crate::portable::{ArgumentCodec, LentCodec};
use crate::registry::{self, Dispatch, Entry};
use crate::sys::{self, Piped, Stdio};
use crate::trace::Forwards;
use crate::wire::{CallHead, CodecError, Fault, Kind, Packed, Packer, Unpacker};

/// A call of a child entry: the arguments are packed, nothing is started.
///
/// `entry::call(…)` makes it; [`spawn`](Call::spawn) and [`run`](Call::run) start it. In between, the process that will
/// run it can be set up, as with [`std::process::Command`]. Unlike there, you cannot choose the program and its arguments:
/// the child is this program, with this program's arguments.
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
    entry: &'static Entry,
    packed: Result<Packed, Box<Fault>>,
    /// What was set. Apart, as a pool is given many calls, of which nothing is set, and each is moved several times.
    plan: Option<Box<Plan>>,
    unpack: Unpack<R>,
}

/// How the parent unpacks a result.
pub(crate) type Unpack<R> = fn(&mut Unpacker<'_>) -> Result<R, CodecError>;

/// What can be set of a call, and of the process that runs it.
#[derive(Default)]
struct Plan {
    name: Option<String>,
    environment: Environment,
    current_dir: Option<PathBuf>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    timeout: Option<Duration>,
    start_method: Option<StartMethod>,
    /// Whether events of the child are to happen here.
    forwards: Forwards,
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
    fault: Option<Box<Fault>>,
}

impl Arguments {
    /// No argument is packed yet.
    #[must_use]
    #[inline]
    pub fn new(entry: &'static Entry) -> Self {
        Self { entry, packer: link::packer(), fault: None }
    }

    /// Packs the argument `name`.
    pub fn pack<T>(&mut self, name: &'static str, value: T, codec: &ArgumentCodec<T>) {
        let done = (codec.pack)(value, &mut self.packer);
        self.packed(name, done);
    }

    /// Packs the argument `name`, which is lent.
    pub fn pack_lent<T: ?Sized>(&mut self, name: &'static str, value: &T, codec: &LentCodec<T>) {
        let done = (codec.pack)(value, &mut self.packer);
        self.packed(name, done);
    }

    /// Where the next argument goes.
    #[inline]
    pub fn packer(&mut self) -> &mut Packer {
        &mut self.packer
    }

    /// Notes how the packing of the argument `name` went. What fails surfaces when the call is started.
    #[inline]
    pub fn packed(&mut self, name: &'static str, done: Result<(), CodecError>) {
        #[cfg(feature = "engines")]
        self.packer.ends_argument(name);
        if let (Err(error), None) = (done, &self.fault) {
            self.fault = Some(Box::new(Fault::argument(name, error)));
        }
    }

    /// All arguments are packed.
    #[inline]
    pub fn call<R>(self, result: &ArgumentCodec<R>) -> Call<R> {
        let packed = match self.fault {
            None => Ok(self.packer.finish()),
            Some(fault) => Err(fault),
        };
        Call { entry: self.entry, packed, plan: None, unpack: result.unpack }
    }
}

impl<R> Call<R> {
    fn plan(&mut self) -> &mut Plan {
        self.plan.get_or_insert_default()
    }

    /// The same, for a setter that concerns the process.
    fn altered(&mut self, setter: &'static str) -> &mut Plan {
        let plan = self.plan();
        plan.altered = Some(setter);
        plan
    }

    /// Names the process, for people: on Linux `ps`, `top` and `/proc/<id>/comm` show the first 15 bytes, on Windows
    /// debuggers show it as that of the main thread, on macOS nothing does. By default
    /// it is called what this process is called.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.altered("name").name = Some(name.into());
        self
    }

    /// Sets a variable in the child's environment, which is otherwise a copy of this process's.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.altered("env").environment.set(key.as_ref(), value.as_ref());
        self
    }

    /// Sets several variables in the child's environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        for (key, value) in variables {
            self.altered("envs").environment.set(key.as_ref(), value.as_ref());
        }
        self
    }

    /// Removes a variable from the child's environment; on Windows not `SystemRoot`, see [`env_clear`](Self::env_clear).
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.altered("env_remove").environment.remove(key.as_ref());
        self
    }

    /// Starts the child with an empty environment, except for what is set after this. On Windows it still has `SystemRoot`,
    /// without which the system's libraries find neither sockets nor cryptography; whoever sets that has it as it was set.
    pub fn env_clear(mut self) -> Self {
        self.altered("env_clear").environment.clear();
        self
    }

    /// Sets the child's working directory. It is an [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) from the child if it
    /// cannot be entered.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.altered("current_dir").current_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// What the child's standard input is connected to; by default, what this process's is.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.altered("stdin").stdin = stdin.into();
        self
    }

    /// What the child's standard output is connected to; by default, what this process's is.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.altered("stdout").stdout = stdout.into();
        self
    }

    /// What the child's standard error is connected to; by default, what this process's is.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.altered("stderr").stderr = stderr.into();
        self
    }

    /// Kills the child if it has not answered within this time, counted from its start. Joining it then gives
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut). The child is killed whether or not somebody waits for it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan().timeout = Some(timeout);
        self
    }

    /// How the process comes to be.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.altered("start_method").start_method = Some(method);
        self
    }

    /// Lets events of `tracing` that happen in the child happen in this process as well, with feature `tracing`; by default
    /// they go nowhere, as the child has no subscriber.
    ///
    /// Each happens here within the span of the child, with its level, target, place, message and fields, when the child is
    /// joined or asked whether it has ended; the subscriber is that of the thread that starts the child. What it has told before
    /// it crashed is not lost. Only what some subscriber here would take when the child starts is sent, by level; spans are
    /// not.
    ///
    /// Texts of an event are cut at 8 KiB, and fields beyond the fifteenth are joined in one. Some dozens of events wait for this
    /// process (some kilobytes on macOS); where it does not look after the child for longer, further ones are lost, and counted,
    /// and the entry goes on: a warning says how many, except for the last ones of a child that is killed, exits or crashes. A
    /// subscriber that the entry installs for the whole process is refused, as there is one; one for a scope
    /// (`tracing::subscriber::with_default`) takes the events of that scope.
    ///
    /// ```
    /// use spawnsafe::child_entry;
    ///
    /// #[child_entry]
    /// fn count_words(text: &str) -> usize {
    ///     tracing::info!(bytes = text.len(), "counting"); // shows up in the log of the program
    ///     text.split_whitespace().count()
    /// }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// assert_eq!(count_words::call("one two").forward_events(true).run()?, 2);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tracing")]
    pub fn forward_events(mut self, forward: bool) -> Self {
        self.altered("forward_events").forwards = Forwards(forward);
        self
    }

    #[cfg(not(feature = "tracing"))]
    #[doc(hidden)]
    pub fn forward_events(self, _forward: bool) -> Self
    where
        for<'never> Self: FeatureTracing<'never>,
    {
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
        let unpack = self.unpack;
        let (mut running, piped) = start(self.entry, self.packed, *self.plan.unwrap_or_default())?;
        running.kill_when_due()?;
        Ok(Child::new(running, piped, unpack))
    }

    /// Starts the child and waits for its result, as [`spawn`](Call::spawn) and [`join`](Child::join) do, but not for its
    /// process to be gone as well.
    ///
    /// What the entry has printed with Rust's macros is out by then. The process may run its exit handlers a moment
    /// longer, if it has some, and is reaped in the background, within milliseconds; for that a thread is started with the
    /// first `run`. This process waits for it when it returns from `main` or calls [`exit`](std::process::exit). It is
    /// killed if it takes ten seconds. If what the process holds must be free, as a port that the next one needs, use `spawn`
    /// and `join`. An error still waits for the end of the process, to say how it was. On macOS and Windows all
    /// do.
    ///
    /// # Errors
    /// Those of both.
    pub fn run(self) -> Result<R, Error> {
        // Whoever waits keeps the time as well: no other thread need watch.
        let unpack = self.unpack;
        let (running, piped) = start(self.entry, self.packed, *self.plan.unwrap_or_default())?;
        Child::new(running, piped, unpack).into_result()
    }

    /// The packed arguments, if this is a call of that entry of which nothing was set and which has no blobs or handles.
    #[inline]
    pub(crate) fn plain(&mut self, entry: &'static Entry) -> Option<&mut Vec<u8>> {
        match &mut self.packed {
            Ok(packed) if std::ptr::eq(self.entry, entry) && self.plan.is_none() && packed.is_items_only() => {
                Some(&mut packed.items)
            }
            _ => None,
        }
    }

    /// How its result is unpacked.
    #[inline]
    pub(crate) fn unpack(&self) -> Unpack<R> {
        self.unpack
    }

    /// For a process that is there already.
    pub(crate) fn into_task(self) -> Result<Task<R>, Error> {
        self.into_task_unless(ending::not_for_a_pool)
    }

    /// For a process that somebody else sets up, who says so if something of it was set.
    pub(crate) fn into_task_unless(self, altered: fn(&str) -> Error) -> Result<Task<R>, Error> {
        let Self { entry, packed, plan, unpack } = self;
        let task = || {
            if let Some(setter) = plan.as_ref().and_then(|plan| plan.altered) {
                return Err(altered(setter));
            }
            let index = registry::index_of(entry).map_err(|found| duplicate(&found))?;
            let packed = packed.map_err(|fault| ending::not_packed(&fault))?;
            Ok(Task { entry, index, packed, timeout: plan.and_then(|plan| plan.timeout), unpack })
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

/// Starts a process for a call. Without the type of its result, so that all code that is not about values exists once.
fn start(entry: &'static Entry, packed: Result<Packed, Box<Fault>>, plan: Plan) -> Result<(Running, Piped), Error> {
    let events = plan.forwards.level();
    order(entry, packed, plan, events)
        .and_then(|(order, method, timeout)| {
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let Launched { peer, piped, outbox, shared: _ } = method.launcher().launch(order).map_err(not_started)?;
            let mut running = Running::new(entry.name(), peer, outbox, events > 0, deadline.zip(timeout));
            running.send();
            Ok((running, piped))
        })
        .map_err(|error| error.in_entry(entry.name()))
}

fn order(
    entry: &'static Entry,
    packed: Result<Packed, Box<Fault>>,
    plan: Plan,
    events: u8,
) -> Result<(Order, StartMethod, Option<Duration>), Error> {
    let dispatch = may_start()?;
    let index = registry::index_of(entry).map_err(|found| duplicate(&found))?;
    let packed = packed.map_err(|fault| ending::not_packed(&fault))?;
    let head = CallHead {
        build: sys::build_id(),
        index,
        position: entry.position(),
        name: entry.name(),
        process_name: plan.name.as_deref().unwrap_or_else(|| own_name()),
        current_dir: plan.current_dir.as_deref().unwrap_or(Path::new("")).as_os_str().as_encoded_bytes(),
        events,
    };
    let order = Order {
        dispatch,
        environment: plan.environment,
        stdin: plan.stdin,
        stdout: plan.stdout,
        stderr: plan.stderr,
        outbox: Outbox::with_pieces(Kind::Call, &head.encode(), inherit::snapshot()?, packed),
        shared: None,
    };
    Ok((order, plan.start_method.unwrap_or_else(StartMethod::usual), plan.timeout))
}

/// What this process is called: a child would be called after the link that it was started from.
pub(crate) fn own_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(sys::process_name)
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("entry", &self.entry.name()).finish_non_exhaustive()
    }
}
