//! Being the agent behind a queue: pools of local workers in which parcels are run, whoever has sent them.
//!
//! Where the parcels come from, and where the answers go, is for the crate that knows the queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::errand::Errand;
use super::local::Local;
use super::numbers::{note_answered, without};
use super::{Find, read_orders, room};
use crate::error::Error;
use crate::handle;
use crate::inherit::{self, Values};
use crate::link::Frame;
use crate::pool::Pool;
use crate::pool::builder::Settings;
use crate::pool::common::Fault;
use crate::pool::engine::parcel::frames;
use crate::pool::engine::texts;
use crate::registry;
use crate::sys::Stdio;
use crate::wire::parcel::ParcelHead;
use crate::wire::{GlobalValue, Kind, NodeKind};

/// How many pools are kept, for those who submit with different settings. Each has as many workers as the machine.
const MOST_POOLS: usize = 4;

/// For how long one is kept that has nothing to do.
const IDLE: Duration = Duration::from_secs(60);

/// More tasks than a pool puts into one parcel.
const MOST_TASKS: u32 = 1 << 16;

/// How long a worker may take to begin that is started for nothing else.
const TRIAL: Duration = Duration::from_secs(30);

/// The agent: what its errands have in common.
pub struct Station {
    name: String,
    workers: usize,
    find: Find,
    largest: usize,
    pools: Vec<Arc<Local>>,
}

/// What is known of earlier attempts to run a parcel.
#[derive(Debug, Default)]
pub struct Before {
    /// How often it was given to an agent before.
    pub attempts: u32,
    /// The last one.
    pub node: Option<String>,
    /// The answers that are there.
    pub answers: Vec<Vec<u8>>,
}

impl Station {
    /// One with so many workers, or as many as there is room for. `largest` is how long an answer may be. Builds are compared
    /// by whoever chooses the queue, or else are meant to be different.
    #[must_use]
    pub fn new(name: &str, workers: Option<usize>, largest: usize, same_build: bool) -> Self {
        Self {
            name: name.to_owned(),
            workers: workers.unwrap_or_else(room).max(1),
            find: if same_build { registry::find } else { registry::find_by_name },
            largest,
            pools: Vec::new(),
        }
    }

    /// How many tasks can run at a time.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Starts a worker for nothing else than to see whether that is possible here now. Takes a moment.
    pub fn try_worker() -> Result<(), Error> {
        let (stdout, stderr) = (Stdio::null(), Stdio::null());
        let settings =
            Settings { dispatch: handle::may_start()?, stdout, stderr, initializer_timeout: TRIAL, ..Settings::new() };
        let pool = Pool::of(settings, 1, Arc::default())?;
        loop {
            if let Some((error, _)) = pool.common.broken() {
                return Err(error);
            }
            if !pool.common.processes().is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Begins to run a parcel. The error is of one that cannot be read, so that nobody can be answered.
    pub fn begin(&mut self, parcel: &[u8], before: &Before) -> Result<Errand, Error> {
        let mut all = frames(parcel);
        let (Some(Some(frame)), None) = (all.next(), all.next()) else { return Err(texts::damaged_parcel()) };
        if frame.kind != Kind::Node(NodeKind::Parcel) {
            return Err(texts::damaged_parcel());
        }
        let Frame { items, mut blobs, .. } = frame;
        let (head, rest) = ParcelHead::decode(&items).ok_or_else(texts::damaged_parcel)?;
        let (statics, runs) = inherit::split(rest).ok_or_else(texts::damaged_parcel)?;
        if head.count > MOST_TASKS {
            return Err(texts::damaged_parcel());
        }
        let of_tasks = blobs.split_off(blobs.len().min(head.blobs.into()));
        let tasks = head.first..head.first + u64::from(head.count);
        let mut answered = BTreeSet::new();
        before.answers.iter().for_each(|bytes| note_answered(bytes, &tasks, &mut answered));
        let mut errand = Errand::new(&self.name, self.largest, before.attempts, head.retries);
        let mut jobs = errand.read(runs, of_tasks, &tasks, &answered, self.find).ok_or_else(texts::damaged_parcel)?;
        if before.attempts > head.retries {
            let node = before.node.as_deref().unwrap_or("a node");
            errand.refuse_all(&jobs, &answered, &texts::lost(node, before.attempts, texts::not_heard_of()));
            return Ok(errand);
        }
        let (local, values) = match self.local(head.orders, blobs, &statics) {
            Ok(local) => local,
            Err((error, Fault::Own)) => {
                errand.refuse_all(&jobs, &answered, &error);
                return Ok(errand);
            }
            Err((error, Fault::Start)) => {
                errand.cannot_start(error);
                return Ok(errand);
            }
        };
        jobs.iter_mut().for_each(|job| job.inherit(&values));
        if !answered.is_empty() {
            jobs = without(jobs, &answered);
        }
        errand.submit(jobs, local);
        Ok(errand)
    }

    /// The pool that orders describe, and the inherited statics of its tasks.
    fn local(
        &mut self,
        orders: &[u8],
        blobs: Vec<Vec<u8>>,
        statics: &[GlobalValue<'_>],
    ) -> Result<(Arc<Local>, Arc<Values>), (Error, Fault)> {
        let wrong = |error| (error, Fault::Own);
        let values = Values::default().with(statics).map_err(wrong)?;
        self.sweep();
        let is_meant = |local: &Arc<Local>| local.orders == orders && local.blobs == blobs;
        // One whose workers cannot begin gives another one the chance to.
        self.pools.retain(|local| !(is_meant(local) && local.pool.common.broken().is_some()));
        if let Some(local) = self.pools.iter().find(|local| is_meant(local)) {
            local.touch();
            return Ok((Arc::clone(local), local.values(values)));
        }
        let failed_value = Arc::default();
        let begun = read_orders(orders, blobs.clone(), &failed_value, self.find).map_err(wrong)?;
        let values = Arc::new(values);
        // What the system refuses here it may not refuse elsewhere.
        let pool =
            Pool::of(begun.settings, self.workers, Arc::clone(&values)).map_err(|error| (error, Fault::Start))?;
        let local = Arc::new(Local::new((orders, blobs), pool, failed_value, &values));
        self.pools.push(Arc::clone(&local));
        Ok((local, values))
    }

    /// Ends pools that nobody has used for a while, or that are too many.
    fn sweep(&mut self) {
        let mut kept: Vec<Arc<Local>> = std::mem::take(&mut self.pools);
        kept.sort_by_key(|local| local.idle());
        let mut gone = Vec::new();
        for (place, local) in kept.into_iter().enumerate() {
            // Errands hold theirs.
            let is_used = Arc::strong_count(&local) > 1;
            if !is_used && (place + 1 >= MOST_POOLS || local.idle() > IDLE) {
                gone.push(local);
            } else {
                self.pools.push(local);
            }
        }
        if !gone.is_empty() {
            // Its workers take their time to end, which is nobody's business.
            let _ = std::thread::Builder::new().name("spawnsafe-sweep".into()).spawn(move || drop(gone));
        }
    }
}

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("name", &self.name).field("workers", &self.workers).finish_non_exhaustive()
    }
}
