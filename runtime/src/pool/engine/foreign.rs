//! Engines of other crates: those that carry tasks through a queue which outlives this process.
//!
//! Such an engine needs a client library, and often a runtime, which this crate does not depend on. It is named by a URL,
//! `nats://host`, and found by its scheme: the crate registers it, and a program that has the crate says so with
//! `use spawnsafe_nats as _;`. Without it the URL is an error that names the crate.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Engine, Kind};
use crate::error::{Error, ErrorKind};
use crate::pool::common::Seat;

/// What a crate registers with `inventory`.
pub struct Scheme {
    /// What stands before `://`.
    pub names: &'static [&'static str],
    /// The engine that a URL means.
    pub engine: fn(&str) -> Result<Arc<dyn Transport>, Error>,
    /// Serves the queue that a URL means, as the agent of whoever submits. Returns if it never can.
    pub serve: fn(&str) -> Result<Infallible, Error>,
}

inventory::collect!(Scheme);

/// A way to a queue.
pub trait Transport: fmt::Debug + Send + Sync {
    /// The URL, without what is secret in it.
    fn url(&self) -> String;

    /// Connects for one pool. Its thread is woken whenever there is an event, or room.
    fn connect(&self, heartbeat: Duration, wake: Wake) -> Result<Box<dyn Carrier>, Error>;
}

/// The connection of one pool. Nothing of it blocks for long.
pub trait Carrier: Send {
    /// How many bytes a parcel may have.
    fn largest(&self) -> usize;

    /// Puts a parcel into the queue, as soon as there is room in it.
    fn send(&mut self, parcel: u64, bytes: Vec<u8>);

    /// How many parcels are not in the queue yet.
    fn unsent(&self) -> usize;

    /// What has happened next, if anything has.
    fn next(&mut self) -> Option<Event>;

    /// Tells all agents that these tasks need not begin; and to stop them, if it `kills`.
    fn stop(&mut self, parcel: u64, tasks: &[u64], kills: bool);

    /// Nobody waits for anything of this parcel any more, and it may still be in the queue.
    fn withdraw(&mut self, parcel: u64);

    /// All answers of this parcel are there.
    fn finished(&mut self, parcel: u64);

    /// The pool ends, and whatever is left of it is not wanted.
    fn leave(&mut self);
}

/// What a carrier tells.
#[derive(Debug)]
pub enum Event {
    /// So many workers wait for parcels now, or work on them.
    Workers(usize),
    /// An agent has taken a parcel.
    Begun {
        /// Its number.
        parcel: u64,
        /// What people call the agent.
        node: String,
    },
    /// An agent has put a parcel back into the queue. It is for others now.
    HandedBack {
        /// Its number.
        parcel: u64,
    },
    /// On an agent no worker can be started, or not for this pool.
    Unfit {
        /// What people call the agent.
        node: String,
        /// Why, as [`failure`](super::failure) gives it.
        why: Vec<u8>,
    },
    /// Some answers of a parcel.
    Answers {
        /// Its number.
        parcel: u64,
        /// What an [`Errand`](super::Errand) has given.
        bytes: Vec<u8>,
    },
    /// The queue does not take a parcel, and never will.
    Refused {
        /// Its number.
        parcel: u64,
        /// Why.
        error: Error,
    },
    /// Nothing more can come.
    Broken(Error),
}

/// Wakes the thread of a pool.
#[derive(Clone, Default)]
pub struct Wake(Arc<OnceLock<Arc<Seat>>>);

impl Wake {
    /// Has it look for events.
    pub fn wake(&self) {
        if let Some(seat) = self.0.get() {
            seat.waker.wake();
        }
    }

    /// Says whom to wake.
    pub(in crate::pool) fn set(&self, seat: &Arc<Seat>) {
        let _ = self.0.set(Arc::clone(seat));
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme").field("names", &self.names).finish_non_exhaustive()
    }
}

/// An error of an engine of another crate.
#[must_use]
pub fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error::new(kind, message)
}

/// The same with a cause.
#[must_use]
pub fn error_with(
    kind: ErrorKind,
    message: impl Into<String>,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(kind, message).with_source(cause)
}

/// Identifies the build of this program, on all machines.
#[must_use]
pub fn build_id() -> u64 {
    crate::sys::portable_build_id()
}

/// Whether a variable or an engine is named by a URL.
pub(super) fn scheme(text: &str) -> Option<&str> {
    text.split_once("://").map(|(scheme, _)| scheme)
}

/// The engine of this scheme. The error says what is missing.
pub(super) fn find(scheme: &str) -> Result<&'static Scheme, String> {
    let mut all = inventory::iter::<Scheme>.into_iter();
    all.find(|known| known.names.contains(&scheme)).ok_or_else(|| match scheme {
        "nats" | "tls" => {
            "NATS is an engine of the crate `spawnsafe-nats`, which is not part of this program: add it to \
                           its dependencies, and write `use spawnsafe_nats as _;` in it"
                .to_owned()
        }
        _ => format!("no crate of this program has an engine for `{scheme}://`"),
    })
}

impl Engine {
    /// One of another crate.
    #[doc(hidden)]
    #[must_use]
    pub fn __of(transport: Arc<dyn Transport>) -> Self {
        Self::of(Kind::Foreign(transport))
    }
}
