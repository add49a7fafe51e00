//! Run annotated functions in child processes, with the compiler rejecting what a fresh process would not have.
//!
//! Put [`#[process_main]`](process_main) on `main` and [`#[child_entry]`](child_entry) on functions. Each of them is
//! then still an ordinary function, and beside it stands a type of the same name that runs it in a process of its own:
//!
//! ```
//! use spawnsafe::{child_entry, process_main};
//!
//! #[child_entry]
//! fn count_words(text: &str) -> usize {
//!     text.split_whitespace().count()
//! }
//!
//! #[process_main]
//! fn main() -> Result<(), spawnsafe::Error> {
//!     assert_eq!(count_words::run("one two three")?, 3); // in a child process
//!     assert_eq!(count_words("one two three"), 3); // here
//!     Ok(())
//! }
//! ```
//!
//! A child is the same program, started anew, that never runs the body of `main`. It gets the arguments that are
//! passed to it and nothing else, on every system alike: there is no `fork` that would copy globals on one system and
//! lose them on another. What relies on more than that does not compile, and the error says what to do: see
//! [`SpawnSafe`](trait@SpawnSafe), and [`guide::refusals`] for every such error with a repair.
//!
//! If you know Python's `multiprocessing`, [`guide::python`] puts its calls beside those of this crate. If you have code that may
//! crash, hang or be attacked, [`guide::isolation`] says what to set, and what a process alone does not do.
//!
//! # What a child has, and what not
//! | | |
//! |---|---|
//! | arguments of the entry | packed with serde, in the parent, when the call is made |
//! | `std::env::args()`, environment, working directory, standard streams | the parent's, or what [`Call`] sets |
//! | statics with [`#[inherit]`](macro@inherit) | the value that they had when the child was started |
//! | other statics, thread-locals | as the program initializes them: nothing that the parent did to them |
//! | open files, sockets, threads, locks | none of the parent's, except what a [`Handle`] passes |
//! | the body of `main` | never runs |
//!
//! # How it ends
//! [`Child::join`] returns the value, or one [`Error`] for every other end: a panic with its message, place and
//! backtrace, an exit, a signal, a time limit, a value that cannot be packed, bytes that are no answer. A [`Child`] that
//! is dropped is killed and reaped; when the parent dies, even by SIGKILL, so do its children.
//!
//! ```
//! use std::time::Duration;
//! use spawnsafe::{ErrorKind, Stdio, child_entry};
//!
//! #[child_entry]
//! fn untrusted(input: Vec<u8>) -> Result<String, spawnsafe::RemoteError> {
//!     Ok(String::from_utf8(input)?)
//! }
//!
//! # #[spawnsafe::process_main]
//! # fn main() {
//! let call = untrusted::call(b"plugin data".to_vec())
//!     .name("plugin")
//!     .env_clear()
//!     .stdout(Stdio::null())
//!     .timeout(Duration::from_secs(10));
//! match call.run() {
//!     Ok(Ok(text)) => println!("{text}"),
//!     Ok(Err(error)) => println!("it failed: {error}"),
//!     Err(error) if error.kind() == ErrorKind::TimedOut => println!("it was too slow"),
//!     Err(error) => println!("it crashed, and we did not: {error}"),
//! }
//! # }
//! ```
//!
//! # Many calls
//! A [`Pool`] keeps processes and runs calls in them, one after another: [`submit`](Pool::submit), [`map`](Pool::map). A
//! [`Task`] can be awaited in any executor.
//!
//! # What is open, and what is large
//! A [`Handle`] carries a file, a socket or a pipe to the other process, open. A [`SharedSlice`] is a list in memory that every
//! process sees which was given it, without a copy; it begins as a [`SharedBuf`], which is filled and then sealed. Both can be
//! part of any value that travels, except of `#[inherit]` statics.
//!
//! # Messages
//! [`channel`] makes a [`Sender`] and a [`Receiver`]. Both can be passed to any process: for a stream of results, for requests
//! and replies, for children that talk to each other.
//!
//! # In tests
//! Entries work in `#[test]` functions as they are, under `cargo test` and cargo-nextest: a child of a test binary runs
//! its entry, and nothing of the test harness. Only a test crate that defines no entry of its own and calls another
//! crate's needs a line, as a file in `tests/` often is: [`test_harness!`]. A doc-test needs the same line, or `#[process_main]`
//! on its `main`.
//!
//! # Platforms
//! Linux from 5.4 on, with glibc 2.29 or newer and `/proc` mounted; Windows from 10 on, tested under Wine and not yet on
//! Windows itself; macOS from 11 on, of which only the types were checked. On other systems the crate compiles and every
//! spawn is an [`ErrorKind::Spawn`].
//!
//! # Features
//! | feature | default | gives |
//! |---|---|---|
//! | `tokio` | no | a [`Child`] can be awaited, a channel's ends as well, and an entry can be an `async fn` |
//! | `engines` | no | `Engine`: the workers of a `Pool` on other machines, over ssh, Slurm or any command, or through NATS with the crate `spawnsafe-nats`; `Batch`: calls for the queue of a cluster, whose results wait |
//! | `progress` | no | `Map::with_progress`: a bar on the terminal, with rate, time left and failures |
//! | `tracing` | no | each child, and each worker and task of a pool, is a span with `entry`, `pid` and `outcome`; `PoolBuilder::forward_events` and `Call::forward_events` |
//! | `bytes`, `chrono`, `indexmap`, `rust_decimal`, `semver`, `serde_json`, `smallvec`, `time`, `url`, `uuid` | no | the plain types of the crate of that name may travel |

pub mod guide {
    //! Pages to read; there is nothing in them to call.

    // Its pieces are incomplete, and those that are faulty would cost a compile each: `tests/guide.rs` compiles them all at
    // once, and compares what the compiler says.
    #[cfg_attr(not(doctest), doc = include_str!("docs/refusals.md"))]
    #[cfg_attr(doctest, doc = "Tested elsewhere.")]
    pub mod refusals {}

    #[doc = include_str!("docs/start_up.md")]
    pub mod start_up {}

    #[doc = include_str!("docs/limits.md")]
    pub mod limits {}

    #[doc = include_str!("docs/isolation.md")]
    pub mod isolation {}

    #[doc = include_str!("docs/python.md")]
    pub mod python {}

    #[cfg(feature = "engines")]
    #[doc = include_str!("docs/clusters.md")]
    pub mod clusters {}
}

// The names are those of the generated code's contract.
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[cfg(feature = "engines")]
mod batch;
mod channel;
mod child;
mod error;
mod features;
mod handle;
mod inherit;
mod launch;
mod link;
mod passed;
mod pool;
mod portable;
mod probe;
mod registry;
mod shared;
mod sys;
mod trace;
mod wire;

#[cfg(feature = "engines")]
pub use batch::{Batch, Results, Scheduler, Status, Submitted};
#[cfg(feature = "tokio")]
pub use channel::{AsyncReceiver, AsyncSender};
pub use channel::{
    ChannelBuilder, Duplex, IntoMessages, Messages, Ready, Receiver, Select, SendError, Sender, channel, duplex,
};
pub use error::{Error, ErrorKind, ExitStatus, Panic, RemoteError};
#[cfg(feature = "tokio")]
pub use handle::Join;
pub use handle::{Call, Child, prewarm};
pub use inherit::{Inherit, Inheritable, ProcessLocal, Snapshot};
pub use launch::StartMethod;
pub use passed::Handle;
#[cfg(feature = "engines")]
pub use pool::Engine;
pub use pool::{Figures, Initializer, Map, MapUnordered, Pool, PoolBuilder, Task};
#[cfg(feature = "progress")]
pub use pool::{Finished, WithProgress};
pub use portable::{LendSafe, SpawnSafe};
pub use shared::{Plain, SharedBuf, SharedSlice};
#[doc = include_str!("docs/derive.md")]
pub use spawnsafe_macros::SpawnSafe;
#[doc = include_str!("docs/child_entry.md")]
pub use spawnsafe_macros::child_entry;
#[doc = include_str!("docs/inherit.md")]
pub use spawnsafe_macros::inherit;
#[doc = include_str!("docs/process_local.md")]
pub use spawnsafe_macros::process_local;
#[doc = include_str!("docs/process_main.md")]
pub use spawnsafe_macros::process_main;
#[doc = include_str!("docs/spawn_safe.md")]
pub use spawnsafe_macros::spawn_safe;
pub use sys::{HandleSafe, Stdio};

/// Lets a test binary that defines no entry of its own start entries of other crates.
///
/// A program may start children only if a child of it would not run `main`. For programs, `#[process_main]` sees to
/// that; for test binaries, whose `main` belongs to the test harness, an entry that is compiled with `--test` does. An
/// integration test that only calls entries of the library under test has neither, and says so with this line, once,
/// anywhere outside a function:
///
/// ```
/// spawnsafe::test_harness!();
///
/// // and then, as in any test crate:
/// // #[test]
/// // fn squares() {
/// //     assert_eq!(my_library::square::run(3).unwrap(), 9);
/// // }
/// # #[spawnsafe::process_main]
/// # fn main() {}
/// ```
///
/// It works for any program whose `main` cannot carry an attribute: benchmark harnesses, and doc-tests, where it may be a hidden
/// line:
///
/// ```text
/// /// ```
/// /// # spawnsafe::test_harness!();
/// /// assert_eq!(my_library::square::run(3)?, 9);
/// /// # Ok::<(), spawnsafe::Error>(())
/// /// ```
/// ```
///
/// There a child takes over before `main`, when std has not yet prepared the main thread: a stack overflow in the entry then
/// ends the child with SIGSEGV, without the usual message.
#[macro_export]
macro_rules! test_harness {
    () => {
        const _: () = {
            $crate::__private::inventory::submit! { $crate::__private::TestHarness }
        };
    };
}

#[doc = include_str!("docs/spawn.md")]
#[macro_export]
macro_rules! spawn {
    ($($closure:tt)*) => {
        $crate::__private::closure!([$crate] [spawn] $($closure)*)
    };
}

/// An anonymous child entry whose process can be set up before it starts: as [`spawn!`], but the function gives a
/// [`Call`].
///
/// ```
/// use spawnsafe::{Stdio, call};
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let greet = call!(|name: &str| -> String {
///     println!("this goes nowhere");
///     format!("Hello {name}")
/// });
/// assert_eq!(greet("Ada").stdout(Stdio::null()).run()?, "Hello Ada");
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! call {
    ($($closure:tt)*) => {
        $crate::__private::closure!([$crate] [call] $($closure)*)
    };
}
