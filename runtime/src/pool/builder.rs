//! What a pool is to be like.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "engines")]
use super::engine::{self, Engine};
use super::{Pool, texts};
use crate::error::{Error, RemoteError};
#[cfg(not(feature = "tracing"))]
use crate::features::FeatureTracing;
use crate::handle::{self, Call};
use crate::launch::{Environment, StartMethod};
use crate::link;
use crate::registry::{Dispatch, Entry};
use crate::sys::Stdio;
use crate::trace::Forwards;
use crate::wire::{Arrived, Attachment, Blob, WorkerHead};

/// How long a worker may take until it is ready, unless it is said otherwise.
const INITIALIZER_TIMEOUT: Duration = Duration::from_secs(120);

/// Sets up a [`Pool`]: see [`Pool::builder`].
///
/// ```
/// use std::time::Duration;
/// use spawnsafe::{Pool, child_entry};
///
/// #[child_entry]
/// fn square(x: u64) -> u64 { x * x }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let pool = Pool::builder().workers(2).task_timeout(Duration::from_secs(60)).retries(1).build()?;
/// assert_eq!(pool.submit(square::call(5))?.join()?, 25);
/// # Ok(()) }
/// ```
#[must_use = "no worker is started until `build` is called"]
pub struct PoolBuilder {
    workers: Option<usize>,
    settings: Settings,
    initializer: Option<Result<InitializerCall, Error>>,
    #[cfg(feature = "engines")]
    engine: Engine,
}

/// What all workers of a pool have in common.
pub(super) struct Settings {
    pub(super) dispatch: Dispatch,
    pub(super) initializer: Option<InitializerCall>,
    pub(super) initializer_timeout: Duration,
    pub(super) max_tasks_per_worker: Option<u64>,
    pub(super) task_timeout: Option<Duration>,
    pub(super) retries: u32,
    pub(super) look_ahead: Option<usize>,
    pub(super) environment: Environment,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    pub(super) start_method: StartMethod,
    pub(super) name: Option<String>,
    pub(super) current_dir: PathBuf,
    pub(super) confinement: WorkerHead,
    /// Events of the workers happen here as well.
    pub(super) forwards: Forwards,
    /// Where their events go instead, as they are.
    #[cfg(all(feature = "engines", feature = "tracing"))]
    pub(super) relay: Option<Relay>,
    /// How many workers a node has, if they are elsewhere; 0 for as many as it has room for.
    #[cfg(feature = "engines")]
    pub(super) workers_of_node: u32,
    #[cfg(feature = "engines")]
    pub(super) is_on_nodes: bool,
    /// They take their tasks from a queue.
    #[cfg(feature = "engines")]
    pub(super) is_on_queue: bool,
}

/// Takes the number of the task that an event is of, and the event as it travels.
#[cfg(all(feature = "engines", feature = "tracing"))]
type SendEvent = dyn Fn(Option<u64>, &[u8]) + Send + Sync;

/// Where events of this level and more important ones go.
#[cfg(all(feature = "engines", feature = "tracing"))]
#[derive(Clone)]
pub(super) struct Relay {
    pub(super) level: u8,
    pub(super) send: Arc<SendEvent>,
}

/// The call that each worker begins with.
pub(super) struct InitializerCall {
    pub(super) entry: &'static Entry,
    pub(super) index: u32,
    pub(super) items: Arc<Vec<u8>>,
    pub(super) blobs: Vec<Arc<Blob>>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) judge: Judge,
}

/// Unpacks what an initializer has returned, and says whether the worker is fit to work.
type Judge = Box<dyn Fn(&[u8], Vec<Vec<u8>>, Vec<Arrived>) -> Result<(), Error> + Send + Sync>;

/// What an initializer may return: nothing, or whether it has worked.
///
/// A value would be lost, and with it, unnoticed, what it says. So an entry that returns something else is no
/// initializer: have another one call it that keeps the value in a [`#[process_local]`](macro@crate::process_local)
/// static.
#[diagnostic::on_unimplemented(
    message = "an initializer returns nothing, or a `Result`",
    label = "`{Self}` would be lost: nobody gets what an initializer returns",
    note = "keep the value in a static with `#[process_local]`, in which the tasks of the worker find it"
)]
pub trait Initializer: 'static {
    #[doc(hidden)]
    fn __judge(self) -> Result<(), RemoteError>;
}

impl Initializer for () {
    fn __judge(self) -> Result<(), RemoteError> {
        Ok(())
    }
}

impl<T: 'static, E: fmt::Display + 'static> Initializer for Result<T, E> {
    fn __judge(self) -> Result<(), RemoteError> {
        self.map(drop).map_err(RemoteError::msg)
    }
}

impl PoolBuilder {
    pub(super) fn new() -> Self {
        Self {
            workers: None,
            initializer: None,
            settings: Settings::new(),
            #[cfg(feature = "engines")]
            engine: Engine::local(),
        }
    }

    /// On which machines the workers are; on this one, by default. With another engine
    /// [`workers`](PoolBuilder::workers) counts those of each node, by default as many as it has room for, and
    /// [`resize`](Pool::resize) is an error.
    ///
    /// ```no_run
    /// use spawnsafe::{Engine, Pool, child_entry};
    ///
    /// #[child_entry(on_loss = retry(3))]
    /// fn square(x: u64) -> u64 { x * x }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let pool = Pool::builder().engine(Engine::from_env()?).build()?; // SPAWNSAFE_ENGINE=ssh:one,two
    /// let squares: Vec<u64> = pool.map(square::call, 0..1000).collect::<Result<_, _>>()?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "engines")]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// How many workers there are; by default, one for each processor that is available to this process.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// Runs this call in each worker before its first task, also in those that replace others: see [`Pool`] for an
    /// example. What it returns besides failure is lost; it leaves what it makes in
    /// [`#[process_local]`](macro@crate::process_local) statics.
    ///
    /// If it panics, exits, returns an `Err` or takes [too long](PoolBuilder::initializer_timeout), the worker is replaced
    /// after a pause. After five such failures in a row the pool gives up: all tasks that wait, and all that are
    /// submitted later, get the last of these errors.
    pub fn initializer<R: Initializer>(mut self, call: Call<R>) -> Self {
        self.initializer = Some(call.into_task().map(|task| InitializerCall {
            entry: task.entry,
            index: task.index,
            items: Arc::new(task.packed.items),
            blobs: task.packed.blobs.into_iter().map(Arc::new).collect(),
            attachments: task.packed.attachments,
            judge: Box::new(move |items, blobs, attachments| {
                let mut unpacker = link::unpacker(items, blobs).with_attachments(attachments);
                let value = (task.unpack)(&mut unpacker)
                    .and_then(|value| unpacker.finish().map(|()| value))
                    .map_err(|error| handle::undecodable(&error))?;
                value.__judge().map_err(|error| texts::initializer_failed(&error))
            }),
        }));
        self
    }

    /// How long a worker may take from its start until its initializer has returned; 120 seconds by default.
    pub fn initializer_timeout(mut self, timeout: Duration) -> Self {
        self.settings.initializer_timeout = timeout;
        self
    }

    /// Replaces each worker after that many tasks (at least one): for code that leaks. Its next task waits for the new
    /// worker.
    pub fn max_tasks_per_worker(mut self, tasks: u64) -> Self {
        self.settings.max_tasks_per_worker = Some(tasks.max(1));
        self
    }

    /// Kills the worker of a task that has no result after this time, counted from when it begins to run. The task then
    /// ends with [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut); those that waited behind it go to another worker.
    /// [`Call::timeout`] sets it for a single task.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.settings.task_timeout = Some(timeout);
        self
    }

    /// How often a task is run again whose worker has died while it ran; never, by default, or as often as its entry says
    /// (`#[child_entry(on_loss = retry(3))]`), whichever is more. A task that panics, is
    /// cancelled or takes too long is not run again.
    pub fn retries(mut self, times: u32) -> Self {
        self.settings.retries = times;
        self
    }

    /// How many tasks a [`map`](Pool::map) hands to the pool before their results are asked for (at least one): what an
    /// endless iterator is read ahead by. By default as many as keep the workers busy for a while, which is from 4 tasks
    /// for each worker on, and as long as arguments and results need less than some 32 MiB.
    pub fn look_ahead(mut self, tasks: usize) -> Self {
        self.settings.look_ahead = Some(tasks.max(1));
        self
    }

    /// Sets a variable in the environment of the workers, which is otherwise a copy of this process's at the time at which
    /// each is started.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.settings.environment.set(key.as_ref(), value.as_ref());
        self
    }

    /// Sets several variables in the environment of the workers.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        for (key, value) in variables {
            self.settings.environment.set(key.as_ref(), value.as_ref());
        }
        self
    }

    /// Removes a variable from the environment of the workers; on Windows not `SystemRoot`, see
    /// [`Call::env_clear`](crate::Call::env_clear).
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.settings.environment.remove(key.as_ref());
        self
    }

    /// Starts the workers with an empty environment, except for what is set after this, and for `SystemRoot` on Windows.
    pub fn env_clear(mut self) -> Self {
        self.settings.environment.clear();
        self
    }

    /// Sets the working directory of the workers.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.settings.current_dir);
        self
    }

    /// What the standard input of the workers is connected to: by default to nothing, as each of several that read the
    /// same one would get a part of it.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.settings.stdin = stdin.into();
        self
    }

    /// What the standard output of the workers is connected to; by default, what this process's is.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.settings.stdout = stdout.into();
        self
    }

    /// What the standard error of the workers is connected to; by default, what this process's is.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.settings.stderr = stderr.into();
        self
    }

    /// Names the workers, for people: see [`Call::name`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// How the workers come to be.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.settings.start_method = method;
        self
    }

    /// How much memory each worker may have, in bytes. A task that needs more ends its worker, and with it itself: an
    /// allocation that fails aborts a Rust program.
    ///
    /// On Linux this is the address space (`RLIMIT_AS`), which counts what is mapped and not what is used: the program,
    /// its libraries and the stacks of threads as well. Give some 100 MiB more than the tasks need. On Windows it is what a
    /// job object lets the process commit; what a task starts is not limited there. On macOS there is no such limit: the
    /// workers cannot begin, and the tasks end with an error that says so.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.settings.confinement.memory = Some(bytes);
        self
    }

    /// On which processors the workers may run, by their numbers; on all, if there is none. Where the system has no such
    /// thing the workers cannot begin, and the tasks end with an error that says so.
    pub fn processors(mut self, numbers: impl IntoIterator<Item = u32>) -> Self {
        self.settings.confinement.processors = numbers.into_iter().collect();
        self
    }

    /// How willingly the workers leave the processors to others: from -20 (not at all; mostly for privileged programs
    /// only) to 19. On Windows that is one of five priority classes: high below -14, above normal below 0, normal, below
    /// normal from 1 on, idle from 10 on.
    pub fn niceness(mut self, niceness: i32) -> Self {
        self.settings.confinement.niceness = Some(niceness);
        self
    }

    /// Lets events of `tracing` that happen in the workers happen in this process as well, with feature `tracing`; by
    /// default they go nowhere, as a worker has no subscriber.
    ///
    /// Each happens here within the span of the task that ran (or of the worker, where none did), with its level, target,
    /// place, message and fields, as soon as it has come; the subscriber is that of the thread that makes the pool, or
    /// else of the program. What a task has told before it crashed is not lost. Only what some subscriber here would
    /// take when the worker starts is sent, by level; spans of the tasks are not.
    ///
    /// Texts of an event are cut at 8 KiB, and fields beyond the fifteenth are joined in one. Where this process takes no
    /// events, as when it is stopped, they are lost after a while, and counted, and the task goes on. A subscriber that an
    /// entry installs for the whole process is refused, as there is one; one for a scope
    /// (`tracing::subscriber::with_default`) takes the events of that scope.
    ///
    /// ```
    /// use spawnsafe::{Pool, child_entry};
    ///
    /// #[child_entry]
    /// fn count_words(text: &str) -> usize {
    ///     tracing::info!(bytes = text.len(), "counting"); // shows up in the log of the program
    ///     text.split_whitespace().count()
    /// }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let pool = Pool::builder().workers(2).forward_events(true).build()?;
    /// assert_eq!(pool.submit(count_words::call("one two"))?.join()?, 2);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tracing")]
    pub fn forward_events(mut self, forward: bool) -> Self {
        self.settings.forwards = Forwards(forward);
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

    /// Starts the workers; does not wait until they are ready.
    ///
    /// # Errors
    /// [`NoProcessMain`](crate::ErrorKind::NoProcessMain), [`Encode`](crate::ErrorKind::Encode) if an argument of the
    /// initializer or an inherited static cannot be packed, [`Spawn`](crate::ErrorKind::Spawn) if the system refuses what
    /// a pool needs, or a setting makes no sense. What fails when a worker starts is told to the tasks.
    pub fn build(self) -> Result<Pool, Error> {
        #[cfg(feature = "engines")]
        let engine = self.engine;
        let Self { workers, mut settings, initializer, .. } = self;
        settings.dispatch = handle::may_start()?;
        settings.initializer = initializer.transpose()?;
        if [&settings.stdin, &settings.stdout, &settings.stderr].into_iter().any(Stdio::is_piped) {
            return Err(texts::piped());
        }
        #[cfg(feature = "engines")]
        if !engine.is_local() {
            let streams = [("stdin", &settings.stdin), ("stdout", &settings.stdout), ("stderr", &settings.stderr)];
            if let Some((name, _)) = streams.into_iter().find(|(_, stream)| stream.is_handle()) {
                return Err(engine::not_carried(name));
            }
            if let Some(initializer) = &settings.initializer {
                engine::check_carried(&initializer.attachments)
                    .map_err(|error| error.in_entry(initializer.entry.name()))?;
            }
            settings.is_on_nodes = true;
            settings.workers_of_node = workers.map_or(0, |workers| u32::try_from(workers).unwrap_or(u32::MAX));
            return if workers == Some(0) {
                Err(texts::no_workers())
            } else if let Some(line) = engine.line() {
                settings.is_on_queue = true;
                Pool::on_queue(settings, line?)
            } else {
                Pool::on_nodes(settings, engine.places()?)
            };
        }
        let workers = workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        if workers == 0 {
            return Err(texts::no_workers());
        }
        Pool::start(settings, workers)
    }
}

impl Settings {
    pub(super) fn new() -> Self {
        Self {
            // Known, or refused, when it is built.
            dispatch: Dispatch::ProcessMain,
            initializer: None,
            initializer_timeout: INITIALIZER_TIMEOUT,
            max_tasks_per_worker: None,
            task_timeout: None,
            retries: 0,
            look_ahead: None,
            environment: Environment::default(),
            stdin: Stdio::null(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            start_method: StartMethod::usual(),
            name: None,
            current_dir: PathBuf::new(),
            confinement: WorkerHead::default(),
            forwards: Forwards::default(),
            #[cfg(all(feature = "engines", feature = "tracing"))]
            relay: None,
            #[cfg(feature = "engines")]
            workers_of_node: 0,
            #[cfg(feature = "engines")]
            is_on_nodes: false,
            #[cfg(feature = "engines")]
            is_on_queue: false,
        }
    }

    pub(super) fn process_name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| handle::own_name())
    }

    pub(super) fn current_dir(&self) -> &[u8] {
        self.current_dir.as_os_str().as_encoded_bytes()
    }

    /// Up to which level a worker that is started now sends events.
    pub(super) fn events(&self) -> u8 {
        #[cfg(all(feature = "engines", feature = "tracing"))]
        if let Some(relay) = &self.relay {
            return relay.level;
        }
        self.forwards.level()
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder").field("workers", &self.workers).finish_non_exhaustive()
    }
}
