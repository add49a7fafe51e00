//! Starting processes ahead of time.

use super::call::may_start;
use super::ending::not_started;
use crate::error::Error;
use crate::launch::spares;

/// Keeps `count` processes of this program started, which wait for an entry to run: a call that finds one takes a
/// seventh to a third of the time. In place of each that is taken another is started in the background. `prewarm(0)` ends them.
///
/// ```
/// use spawnsafe::{child_entry, prewarm};
///
/// #[child_entry]
/// fn greet(name: &str) -> String {
///     format!("Hello {name}")
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// prewarm(2)?; // returns at once
/// assert_eq!(greet::run("Ada")?, "Hello Ada");
/// assert_eq!(greet::run("Grace")?, "Hello Grace");
/// prewarm(0)?;
/// # Ok(()) }
/// ```
///
/// It changes nothing but the time that a start takes. Such a process has not run anything of an entry, runs one, and exits. A call
/// finds one only if a process that is started for it now would be the same:
/// - its [`StartMethod`](crate::StartMethod) is the default, and it does not change the environment
///   ([`env`](crate::Call::env) and the like), which what runs before `main` has read. Name, directory, streams and time
///   limit can be set;
/// - this process's environment, directory, umask, users, limits, priority, processors, ignored signals, session and
///   process group are what they were when the process was started. If they change, those that wait are replaced.
///
/// Otherwise, and if none is left, the call starts a process as ever. What is not looked at are control groups, namespaces,
/// and descriptors that you make inheritable yourself: after changing those, call `prewarm(0)` and then `prewarm` again. What a
/// program does before `main`, in constructors, is done when the process is started, and what it prints then is lost.
///
/// Each costs the memory of a program that has only just started, less than 1 MB for most. They end with this process,
/// however it ends. One that dies while it waits is replaced. Pools do not need them: their workers stay.
/// [`guide::start_up`](crate::guide::start_up) has numbers, and what else makes a start fast.
///
/// On Linux; on other systems no process is kept, and calls start theirs as ever.
///
/// # Errors
/// As those of [`Call::spawn`](crate::Call::spawn), where no call could be started at all; and
/// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) if there is no thread for it. A process that cannot be
/// started is tried again later.
pub fn prewarm(count: usize) -> Result<(), Error> {
    let dispatch = may_start()?;
    spares::keep(count, dispatch).map_err(not_started)
}
