//! Running a call that was packed by another process, say in a file.

use std::time::{Duration, Instant};

use super::call::{may_start, own_name};
use super::ending::{self, not_started};
use super::running::{Answer, Running};
use crate::error::Error;
use crate::launch::{Environment, Launched, Order, StartMethod};
use crate::link::{Outbox, Piece};
use crate::registry::Entry;
use crate::sys::{self, Stdio};
use crate::wire::{CallHead, Kind, Packed};

/// A call as it was packed.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) entry: &'static Entry,
    /// The entry's position in the registry.
    pub(crate) index: u32,
    pub(crate) arguments: Packed,
    /// The section of inherited statics.
    pub(crate) statics: Vec<Piece>,
    pub(crate) timeout: Option<Duration>,
}

impl Stored {
    /// Runs it in a process of its own and waits until that is gone. What it answers is not looked into.
    ///
    /// # Errors
    /// If it has not begun: the system has refused to start the process.
    pub(crate) fn run(self) -> Result<Answer, Error> {
        let entry = self.entry;
        self.start()
            .map(|mut running| running.settle(None).unwrap_or_else(|| Err(ending::already_joined())))
            .map_err(|error| error.in_entry(entry.name()))
    }

    fn start(self) -> Result<Running, Error> {
        let Self { entry, index, arguments, statics, timeout } = self;
        let head = CallHead {
            build: sys::build_id(),
            index,
            position: entry.position(),
            name: entry.name(),
            process_name: own_name(),
            current_dir: b"",
            // Nobody listens.
            events: 0,
        };
        let order = Order {
            dispatch: may_start()?,
            environment: Environment::default(),
            stdin: Stdio::null(),
            stdout: Stdio::default(),
            stderr: Stdio::default(),
            outbox: Outbox::with_pieces(Kind::Call, &head.encode(), statics, arguments),
            shared: None,
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let Launched { peer, outbox, .. } = StartMethod::usual().launcher().launch(order).map_err(not_started)?;
        let mut running = Running::new(entry.name(), peer, outbox, false, deadline.zip(timeout));
        running.send();
        Ok(running)
    }
}
