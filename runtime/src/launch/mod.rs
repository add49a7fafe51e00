//! Starting a child process: what is wanted, and who does it.
//!
//! The other half is `child`; the two never import each other and meet on the wire only.

mod environment;
mod exec;
pub(crate) mod exiting;
#[cfg(test)]
pub(crate) mod mock;
pub(crate) mod spares;
mod zygote;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub(crate) use environment::Environment;
pub(crate) use exec::Exec;
#[cfg(feature = "engines")]
pub(crate) use exec::set_arguments;

use crate::link::Outbox;
use crate::registry::Dispatch;
use crate::sys::{Ended, Interest, OwnedHandle, Piped, Ready, Receive, Shared, Stdio, Stream, Watch};

/// How a child process comes to be.
///
/// All methods give the child the same meaning: the program, started anew, that never runs `main`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// Execute the program's file again, or take a process that was started so ahead of time
    /// ([`prewarm`](crate::prewarm)). Works everywhere, and is the default.
    #[default]
    Exec,
    /// Fork a process that was started for that. Linux only, and for many short children: a start costs a third to two fifths of
    /// an execution, the less the larger the program is.
    ///
    /// The first call starts a *zygote*, a child of this program that never runs `main` and has one thread, and keeps it for the
    /// life of this process. Each child is a copy of it, made by the system and a child of this process: it has never run any
    /// code of the program but the constructors of its libraries, and everything that is promised for children holds, up to
    /// nested children, pools, time limits and [`detach`](crate::Child::detach). Arguments, environment, directory, streams, umask,
    /// ignored signals, processors, niceness and process group are those of this process, and of the calling thread, at the time
    /// of the call, or what the call sets. If users, groups, capabilities, limits, session or root directory have changed, or a
    /// filter of system calls was set, another zygote is started first: a child never has rights that this process has given up. A
    /// zygote that was killed is replaced, and it ends with this process. It runs the very file that this process runs, even if that was
    /// replaced.
    ///
    /// ```
    /// use spawnsafe::{StartMethod, child_entry};
    ///
    /// #[child_entry]
    /// fn square(x: u64) -> u64 {
    ///     x * x
    /// }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let method = if cfg!(target_os = "linux") { StartMethod::Zygote } else { StartMethod::Exec };
    /// let squares: Result<Vec<u64>, _> = (0..20).map(|x| square::call(x).start_method(method).run()).collect();
    /// assert_eq!(squares?.iter().sum::<u64>(), 2470);
    /// # Ok(()) }
    /// ```
    ///
    /// # What it costs
    /// - **All children have one layout of memory.** The system lays out each executed program anew, at random (ASLR); copies are
    ///   all alike, canaries of the stack included: what somebody learns about one child helps to attack the next. Do not use it for
    ///   children that are to contain an attacker.
    /// - What constructors of libraries have made, before `main`, all children have alike: random numbers, caches, open files. Seeds of
    ///   `HashMap` are each child's own. Handlers of `pthread_atfork` do not run. What such code reads from the environment (`LD_PRELOAD`,
    ///   `MALLOC_ARENA_MAX`) it reads when the zygote starts.
    /// - Namespaces, control groups, Landlock rules of a program that has `no_new_privs` anyway, memory policy, OOM score, priority of input
    ///   and output, `personality`, and the settings of timers (slack), huge pages and core dumps are those of the time at which the zygote
    ///   was started. A program that gives up such things later uses [`Exec`](StartMethod::Exec).
    /// - Descriptors without the flag CLOEXEC, which any executed program would inherit, are not passed on.
    /// - One more process, with the memory of a program that has just started. Code that waits for all children of this
    ///   process, whosever they are, until none is left (`waitpid(-1, …)`), waits for ever.
    ///
    /// # When it is refused
    /// With an [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) that says why, and no other method is taken instead: where the zygote has
    /// more than one thread before `main` (a library, or a tool like a sanitizer, has started it), as a copy would have only one;
    /// where the kernel or a filter does not let a process fork for its parent, or does not tell where the C library keeps the
    /// thread's id; for the first process of a new PID namespace; and on all systems but Linux. On macOS the system's own frameworks do
    /// not work in a process that was forked and has executed nothing; Windows has no such thing.
    Zygote,
}

/// A child process that is to be started.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) dispatch: Dispatch,
    pub(crate) environment: Environment,
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
    /// The call, to be written to the child.
    pub(crate) outbox: Outbox,
    /// Memory that it is to share with this process.
    pub(crate) shared: Option<Shared>,
}

impl Order {
    /// A process that has this one's surroundings and none of its streams, which whoever waits for their end does not wait for.
    fn in_background(dispatch: Dispatch, outbox: Outbox) -> Self {
        let environment = Environment::default();
        let (stdin, stdout, stderr) = (Stdio::null(), Stdio::null(), Stdio::null());
        Self { dispatch, environment, stdin, stdout, stderr, outbox, shared: None }
    }
}

/// A child process that was started.
pub(crate) struct Launched {
    pub(crate) peer: Box<dyn Peer>,
    pub(crate) piped: Piped,
    /// What is still to be written.
    pub(crate) outbox: Outbox,
    /// What the order asked to share.
    pub(crate) shared: Option<Shared>,
}

/// Starts child processes in one way.
pub(crate) trait Launcher {
    fn launch(&self, order: Order) -> io::Result<Launched>;
}

/// A child process as its parent sees it: a process, and the connection to it. Reading does not block.
pub(crate) trait Peer: Receive + Send {
    fn id(&self) -> u32;

    /// Writes what the connection takes, and sends the handles with the first of these bytes.
    fn write(&mut self, pieces: &[IoSlice<'_>], handles: &[&OwnedHandle]) -> io::Result<usize>;

    /// Closes the connection: nothing more is expected from it.
    fn hang_up(&mut self);

    /// Ends the process at once. No error if it has ended.
    fn kill(&mut self) -> io::Result<()>;

    /// Reaps the process if it has ended.
    fn try_wait(&mut self) -> io::Result<Option<Ended>>;

    /// Blocks until the connection is as wished (`None` leaves it out), the process has ended or the deadline passed.
    fn wait(&mut self, interest: Option<Interest>, deadline: Option<Instant>) -> io::Result<Ready>;

    /// For another thread that is to watch or kill the process.
    fn watch(&self) -> Watch;

    /// What [`sys::wait_or_wake`](crate::sys::wait_or_wake) needs, for a thread that does not hold the peer while it waits.
    fn ends(&self) -> (Watch, Option<Arc<Stream>>);

    /// Lets the process live on when this one ends.
    fn release(&mut self) -> io::Result<()>;

    /// Waiting within an executor.
    #[cfg(feature = "tokio")]
    fn async_wait(&self) -> io::Result<crate::sys::AsyncWait>;
}

/// Whether children are forked by a zygote where nothing else is said. For tests: all of them are run once with each method.
static USUALLY_ZYGOTE: AtomicBool = AtomicBool::new(false);

impl StartMethod {
    /// The method of a call or a pool that sets none.
    pub(crate) fn usual() -> Self {
        if USUALLY_ZYGOTE.load(Ordering::Relaxed) { StartMethod::Zygote } else { StartMethod::default() }
    }

    /// Makes this the method of calls and pools that set none.
    pub(crate) fn make_usual(self) {
        USUALLY_ZYGOTE.store(self == StartMethod::Zygote, Ordering::Relaxed);
    }

    pub(crate) fn launcher(self) -> &'static dyn Launcher {
        match self {
            StartMethod::Exec => &Exec,
            StartMethod::Zygote => &zygote::Zygote,
        }
    }
}
