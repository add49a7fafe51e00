//! Workers that stay: processes that run many calls, one after another.
//!
//! `common` is what all share: the queue, under one lock. Each worker has a thread in this process (`seat`), which moves
//! tasks from the queue to the worker (`driver`) and answers to where they are waited for (`mailbox`).

mod builder;
mod common;
mod direct;
mod driver;
#[cfg(feature = "engines")]
mod engine;
mod figures;
mod job;
mod letters;
mod mailbox;
mod map;
mod pace;
#[cfg(feature = "progress")]
mod progress;
mod seat;
mod task;
mod texts;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use builder::{Initializer, PoolBuilder};
use common::{Common, Seat};
#[cfg(feature = "engines")]
pub use engine::Engine;
#[cfg(feature = "engines")]
pub(crate) use engine::{enter_agent, words};
#[cfg(feature = "engines")]
#[doc(hidden)]
pub mod engines {
    //! What crates name that bring an engine.

    pub use super::engine::{
        Before, Carrier, Errand, Event, Posted, Scheme, Station, Transport, Wake, build_id, error, error_with, failure,
        failure_in, nobody, open, post, too_large, unfit,
    };
}
pub use figures::Figures;
use job::Bundle;
use mailbox::Mailbox;

pub use map::{Map, MapUnordered};
#[cfg(feature = "progress")]
pub use progress::{Finished, WithProgress};
pub use task::Task;

use crate::error::Error;
use crate::handle::Call;
use crate::inherit::Values;
use crate::link;
use crate::sys;

#[doc = include_str!("../docs/pool.md")]
pub struct Pool {
    common: Arc<Common>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The process that has made it: a copy of it that the user has forked has none of its threads.
    process: u32,
}

impl Pool {
    /// A pool with one worker for each processor that is available to this process.
    ///
    /// # Errors
    /// As [`PoolBuilder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A pool that is set up first.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    fn start(settings: builder::Settings, workers: usize) -> Result<Self, Error> {
        Self::of(settings, workers, Arc::new(Values::now()?))
    }

    /// A pool whose inherited statics are these at first.
    fn of(settings: builder::Settings, workers: usize, values: Arc<Values>) -> Result<Self, Error> {
        let pool = Self::without_seats(settings, values);
        pool.set_workers(workers)?;
        Ok(pool)
    }

    /// A pool whose workers are elsewhere.
    #[cfg(feature = "engines")]
    fn on_nodes(settings: builder::Settings, places: Vec<engine::Place>) -> Result<Self, Error> {
        let pool = Self::without_seats(settings, Arc::new(Values::now()?));
        let mut places = places.into_iter();
        pool.grow(places.len(), move |common| {
            let place = places.next().expect("there is one for each seat");
            move |seat: &Arc<Seat>| engine::run(&common, seat, &place)
        })?;
        Ok(pool)
    }

    /// A pool whose tasks go through a queue.
    #[cfg(feature = "engines")]
    fn on_queue(settings: builder::Settings, line: engine::Line) -> Result<Self, Error> {
        let pool = Self::without_seats(settings, Arc::new(Values::now()?));
        let mut line = Some(line);
        pool.grow(1, move |common| {
            let line = line.take().expect("there is one seat");
            move |seat: &Arc<Seat>| engine::run_queue(&common, seat, line)
        })?;
        Ok(pool)
    }

    fn without_seats(settings: builder::Settings, values: Arc<Values>) -> Self {
        let common = Arc::new(Common::new(settings, values));
        Self { common, threads: Mutex::default(), process: std::process::id() }
    }

    /// Hands a call to the pool, which runs it as soon as a worker is free. The inherited statics that it will see are
    /// those of this moment.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if an argument or an inherited static cannot be packed,
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) after [`close`](Pool::close), [`ErrorKind::Spawn`](crate::ErrorKind::Spawn)
    /// if something was set on the call that is about a process of its own, and the error of the pool if that has given
    /// up: see [`PoolBuilder::initializer`].
    pub fn submit<R>(&self, call: Call<R>) -> Result<Task<R>, Error> {
        let mailbox = Arc::default();
        let unpack = call.unpack();
        let (bundle, _) = self.bundle(call, &mut None, &mailbox, 0, 1)?;
        let (entry, retries) = (bundle.entry.name(), self.common.retries(bundle.entry));
        let seat = self.common.submit_one(bundle.into_job(retries)).map_err(|error| error.in_entry(entry))?;
        Ok(Task::new(Arc::clone(&self.common), mailbox, seat, entry, unpack))
    }

    /// Runs an entry on many inputs, and gives the results in their order.
    ///
    /// Lazy: inputs are taken, and given to the workers, while results are asked for, and only so far ahead as keeps the
    /// workers busy (or as [`PoolBuilder::look_ahead`] says). So the inputs may be endless, and slow. A task that fails
    /// is an `Err` in its place, and the others go on; only if the pool itself takes no more tasks the results end with
    /// that error. Dropping the iterator takes back what has not begun.
    ///
    /// `f::call` is enough where the inputs are what the entry takes. Where it takes several, or borrows (`&str`, `&[f64]`) what
    /// the inputs own, write a closure: `|(a, b)| f::call(a, b)`, `|text| f::call(&text)`. It is called here, and may capture.
    ///
    /// ```
    /// use spawnsafe::{Pool, child_entry};
    ///
    /// #[child_entry]
    /// fn count_words(text: &str) -> usize { text.split_whitespace().count() }
    ///
    /// #[child_entry]
    /// fn power(base: u64, exponent: u32) -> u64 { base.pow(exponent) }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let pool = Pool::builder().workers(2).build()?;
    /// let pairs = [(2, 10), (3, 4)];
    /// let powers: Vec<u64> = pool.map(|(base, exponent)| power::call(base, exponent), pairs).collect::<Result<_, _>>()?;
    /// assert_eq!(powers, [1024, 81]);
    ///
    /// let texts: Vec<String> = vec!["one two".to_owned(), "three".to_owned()];
    /// let counts: Vec<usize> = pool.map(|text| count_words::call(text), &texts).collect::<Result<_, _>>()?;
    /// assert_eq!(counts, [2, 1]);
    /// # Ok(()) }
    /// ```
    pub fn map<R, I, F>(&self, call: F, inputs: I) -> Map<'_, R, I::IntoIter, F>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Call<R>,
    {
        Map::new(self, call, inputs.into_iter())
    }

    /// As [`map`](Pool::map), but gives the results as they come, each with the position of its input.
    ///
    /// ```
    /// use spawnsafe::{Pool, child_entry};
    ///
    /// #[child_entry]
    /// fn square(x: u64) -> u64 { x * x }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let pool = Pool::builder().workers(2).build()?;
    /// for (position, squared) in pool.map_unordered(square::call, 0..100) {
    ///     assert_eq!(squared?, (position * position) as u64);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn map_unordered<R, I, F>(&self, call: F, inputs: I) -> MapUnordered<'_, R, I::IntoIter, F>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Call<R>,
    {
        MapUnordered::new(self, call, inputs.into_iter())
    }

    /// Makes a call the first task, with this number, of a bundle with room for that many small ones; and whether calls of
    /// the same entry may be added of which nothing was set. Those that are handed over together have the same inherited
    /// statics, asked for by the first.
    fn bundle<R>(
        &self,
        call: Call<R>,
        values: &mut Option<Arc<Values>>,
        mailbox: &Arc<Mailbox>,
        number: u64,
        room: usize,
    ) -> Result<(Bundle, bool), Error> {
        let task = call.into_task()?;
        #[cfg(feature = "engines")]
        if self.common.settings.is_on_nodes {
            engine::check_carried(&task.packed.attachments).map_err(|error| error.in_entry(task.entry.name()))?;
        }
        let values = match values {
            Some(values) => values,
            None => values.insert(self.common.values_now().map_err(|error| error.in_entry(task.entry.name()))?),
        };
        let mut bundle = Bundle::new((task.entry, task.index), (mailbox, values), number, room);
        bundle.push(&task.packed.items);
        link::recycle(task.packed.items);
        let is_plain = task.timeout.is_none() && task.packed.blobs.is_empty() && task.packed.attachments.is_empty();
        bundle.blobs = task.packed.blobs.into_iter().map(Arc::new).collect();
        bundle.attachments = task.packed.attachments;
        bundle.timeout = task.timeout.or(self.common.settings.task_timeout);
        Ok((bundle, is_plain))
    }

    /// Makes the pool larger or smaller while it runs. Workers that are too many end after what they run.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) if a pool would have no workers, or if the system refuses a thread.
    pub fn resize(&self, workers: usize) -> Result<(), Error> {
        #[cfg(feature = "engines")]
        if self.common.settings.is_on_nodes {
            return Err(engine::not_resized());
        }
        self.set_workers(workers)
    }

    fn set_workers(&self, workers: usize) -> Result<(), Error> {
        if workers == 0 {
            return Err(texts::no_workers());
        }
        self.common.retire_beyond(workers);
        self.grow(workers, |common| move |seat: &Arc<Seat>| seat::run(&common, seat))
    }

    /// Adds seats until there are so many, each with a thread that does what is made for it.
    fn grow<W>(&self, seats: usize, mut work: impl FnMut(Arc<Common>) -> W) -> Result<(), Error>
    where
        W: FnOnce(&Arc<Seat>) + Send + 'static,
    {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        while self.common.seats() < seats {
            let seat = self.common.add_seat()?;
            let work = work(Arc::clone(&self.common));
            let thread = std::thread::Builder::new().name("spawnsafe-worker".into());
            let before = self.common.seats() - 1;
            let common = Arc::clone(&self.common);
            let run = move || common.listener.told_of(|| work(&seat));
            match sys::with_signals_blocked(|| thread.spawn(run)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    self.common.retire_beyond(before);
                    return Err(texts::no_thread(error));
                }
            }
        }
        Ok(())
    }

    /// What the pool is doing at this moment.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.common.figures()
    }

    /// The process ids of the workers that are there, for people and tests.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.common.processes()
    }

    /// Takes no more tasks. Those that were submitted are run; then the workers end.
    pub fn close(&self) {
        self.common.close();
    }

    /// Closes the pool, waits until all tasks have ended, and ends the workers.
    pub fn join(self) {
        self.common.close();
        self.common.wait_until_quiet(None);
        self.join_threads();
    }

    /// As [`join`](Pool::join), for at most this long. Then the workers are killed, and the tasks that have not ended end
    /// with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if there were such tasks.
    pub fn shutdown(self, timeout: Duration) -> Result<(), Error> {
        self.common.close();
        // A time that no clock can express is for ever.
        let in_time = self.common.wait_until_quiet(Instant::now().checked_add(timeout));
        if !in_time {
            self.common.end(&texts::shut_down());
        }
        self.join_threads();
        if in_time { Ok(()) } else { Err(texts::shutdown_too_slow(timeout)) }
    }

    fn join_threads(&self) {
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            // It has nothing to say, and what it held is dropped also if it has panicked.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.common.end(&texts::dropped());
            self.join_threads();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("figures", &self.figures()).finish_non_exhaustive()
    }
}
