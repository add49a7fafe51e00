//! Many tasks of one kind: inputs go in as they are needed, results come out as they are asked for.
//!
//! Whoever asks for results also hands out the inputs: no thread stands behind a map, so neither the iterator nor the
//! closure need be `Send`, and what nobody asks for is not begun. The price is that workers run dry if nobody asks for
//! long; how far ahead inputs are handed out therefore grows where they do.

#[cfg(not(feature = "progress"))]
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::iter::Fuse;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Pool;
use super::job::{Bundle, Job};
use super::letters::{Content, Letter};
use super::mailbox::{Mailbox, Until};
use crate::error::Error;
#[cfg(not(feature = "progress"))]
use crate::features::FeatureProgress;
use crate::handle::{Call, Unpack};
use crate::inherit::Values;
use crate::link;

/// How many tasks for each worker are handed out ahead, at first and at most.
const FIRST_WINDOW: usize = 4;
const LAST_WINDOW: usize = 8192;

/// How soon and how rarely it is looked whether workers have run dry while somebody waits for a long task.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(50);

/// How many bytes may be on their way or waiting before that number counts no more; what every worker needs is handed
/// out all the same.
const MOST_BYTES: usize = 32 << 20;

/// How many tasks are handed to the pool at once, and how long they may wait for each other.
const BATCH: usize = 1024;
const BATCH_TIME: Duration = Duration::from_micros(200);

/// The results of a [`Pool::map`], in the order of the inputs.
///
/// Asking for a result hands inputs to the pool; dropping the iterator takes back what has not begun. What runs by then
/// runs to its end, and its result is lost.
#[must_use = "iterators are lazy, and so is this one: nothing runs until it is asked for results"]
pub struct Map<'p, R, I: Iterator, F> {
    feed: Feed<'p, R, I, F>,
    /// In the order of the inputs.
    ready: VecDeque<Letter>,
}

/// The results of a [`Pool::map_unordered`] as they come, each with the position of its input, counted from 0.
///
/// Otherwise as [`Map`].
#[must_use = "iterators are lazy, and so is this one: nothing runs until it is asked for results"]
pub struct MapUnordered<'p, R, I: Iterator, F> {
    feed: Feed<'p, R, I, F>,
    ready: VecDeque<Letter>,
}

impl<'p, R, I, F> Map<'p, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    pub(super) fn new(pool: &'p Pool, call: F, inputs: I) -> Self {
        Self { feed: Feed::new(pool, call, inputs), ready: VecDeque::new() }
    }

    #[cfg(not(feature = "progress"))]
    #[doc(hidden)]
    pub fn with_progress(self, _what: impl Into<Cow<'static, str>>) -> Self
    where
        for<'never> Self: FeatureProgress<'never>,
    {
        self
    }

    /// Puts what has arrived in its place.
    fn sort(&mut self) {
        for letter in self.feed.arrived.drain(..) {
            let at = self.ready.partition_point(|before| before.first < letter.first);
            self.ready.insert(at, letter);
        }
    }

    /// Whether the next result is there.
    fn has_next(&self) -> bool {
        self.ready.front().is_some_and(|letter| letter.first == self.feed.given)
    }
}

impl<R, I, F> Iterator for Map<'_, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let has_some = self.has_next();
            if self.feed.may_feed(has_some) {
                self.feed.feed(has_some);
                self.sort();
            }
            if self.has_next() {
                return self.feed.give_first(&mut self.ready).map(|(_, result)| result);
            }
            if !self.feed.wait() {
                return None;
            }
            self.sort();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.feed.size_hint()
    }
}

impl<'p, R, I, F> MapUnordered<'p, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    pub(super) fn new(pool: &'p Pool, call: F, inputs: I) -> Self {
        Self { feed: Feed::new(pool, call, inputs), ready: VecDeque::new() }
    }

    #[cfg(not(feature = "progress"))]
    #[doc(hidden)]
    pub fn with_progress(self, _what: impl Into<Cow<'static, str>>) -> Self
    where
        for<'never> Self: FeatureProgress<'never>,
    {
        self
    }
}

impl<R, I, F> Iterator for MapUnordered<'_, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    type Item = (usize, Result<R, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.feed.may_feed(!self.ready.is_empty()) {
                self.feed.feed(!self.ready.is_empty());
            }
            self.ready.extend(self.feed.arrived.drain(..));
            if let Some((number, result)) = self.feed.give_first(&mut self.ready) {
                return Some((number as usize, result));
            }
            if !self.feed.wait() {
                return None;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.feed.size_hint()
    }
}

/// Inputs on their way in, and answers on their way out.
struct Feed<'p, R, I: Iterator, F> {
    pool: &'p Pool,
    inputs: Fuse<I>,
    call: F,
    mailbox: Arc<Mailbox>,
    unpackers: Unpackers<R>,
    /// What has arrived and was not looked at yet.
    arrived: Vec<Letter>,
    /// How many inputs were taken, how many answers have arrived, and how many were given out.
    taken: u64,
    received: u64,
    given: u64,
    /// How many may be between the first and the last of these.
    window: usize,
    /// Bytes of the arguments, on average.
    bytes_each: f64,
    has_waited: bool,
    pause: Duration,
    /// How many inputs were taken when the window was looked at, and when that was.
    mark: (u64, Instant),
    /// How many inputs are taken between two looks at the clock.
    stride: usize,
    /// Nothing more is handed out: the inputs are used up, or the pool takes nothing.
    is_done: bool,
}

impl<'p, R, I, F> Feed<'p, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    fn new(pool: &'p Pool, call: F, inputs: I) -> Self {
        let window = pool.common.settings.look_ahead.unwrap_or(FIRST_WINDOW * pool.common.width().max(1));
        Self {
            pool,
            inputs: inputs.fuse(),
            call,
            mailbox: Arc::default(),
            unpackers: Unpackers { usual: None, others: HashMap::new() },
            arrived: Vec::new(),
            taken: 0,
            received: 0,
            given: 0,
            window,
            bytes_each: 0.0,
            has_waited: false,
            pause: FIRST_PAUSE,
            mark: (0, Instant::now()),
            stride: 1,
            is_done: false,
        }
    }

    /// Whether to hand out inputs: if there is something to give, only before workers run dry.
    #[inline]
    fn may_feed(&self, has_some: bool) -> bool {
        // Not one by one: each batch costs a lock, and perhaps a system call.
        !self.is_done && (!has_some || self.room() >= (self.window / 4).clamp(1, BATCH))
    }

    /// Hands out inputs as far as it may.
    fn feed(&mut self, has_some: bool) {
        self.widen();
        let mut has_some = has_some || !self.arrived.is_empty();
        while !self.is_done && self.room() > 0 {
            let filled = self.fill();
            self.look(Until::Now);
            has_some |= !self.arrived.is_empty();
            if filled.is_slow && has_some {
                break;
            }
        }
    }

    fn room(&self) -> usize {
        self.window.saturating_sub((self.taken - self.given) as usize)
    }

    /// Where somebody has to wait for results, and all that may be ahead passes in no time, more must be ahead.
    fn widen(&mut self) {
        if self.pool.common.settings.look_ahead.is_some() {
            return;
        }
        // Or where all others wait for a long one that is the first.
        let is_starved = self.room() == 0 && self.pool.common.is_hungry();
        let (mark, time) = self.mark;
        if !is_starved && self.taken - mark < self.window as u64 {
            return;
        }
        let now = Instant::now();
        self.mark = (self.taken, now);
        let passes = std::mem::take(&mut self.has_waited) && now.duration_since(time) <= self.pool.common.latency();
        if !passes && !is_starved {
            return;
        }
        self.window = (self.window * 2).min(self.widest());
    }

    /// How many may be ahead at most.
    fn widest(&self) -> usize {
        if let Some(chosen) = self.pool.common.settings.look_ahead {
            return chosen;
        }
        let seats = self.pool.common.width().max(1);
        let most = (MOST_BYTES as f64 / self.bytes_each.max(1.0)) as usize;
        most.clamp(FIRST_WINDOW * seats, self.pool.common.farthest(LAST_WINDOW) * seats)
    }

    /// Hands out one batch.
    fn fill(&mut self) -> Filled {
        let (start, most, first) = (Instant::now(), self.room().min(BATCH), self.taken);
        let mut batch = Batch { jobs: Vec::new(), open: None, values: None, room: most.min(self.stride) };
        let mut is_slow = false;
        while ((self.taken - first) as usize) < most {
            let Some(input) = self.inputs.next() else {
                self.is_done = true;
                break;
            };
            let call = (self.call)(input);
            self.add(call, &mut batch);
            let count = (self.taken - first) as usize;
            if count >= self.stride {
                is_slow = start.elapsed() > BATCH_TIME;
                self.stride = if is_slow { 1 } else { (self.stride * 2).min(BATCH) };
                if is_slow {
                    break;
                }
            }
        }
        self.close(&mut batch);
        self.hand_over(batch.jobs);
        Filled { is_slow }
    }

    /// Adds a task to a batch: most often, one more of the same entry.
    fn add(&mut self, mut call: Call<R>, batch: &mut Batch) {
        let unpack = call.unpack();
        if let Some(open) = &mut batch.open {
            if let Some(arguments) = call.plain(open.entry) {
                open.push(arguments);
                link::recycle(std::mem::take(arguments));
                self.unpackers.note(self.taken, unpack);
                self.taken += 1;
                if open.is_full() {
                    self.close(batch);
                }
                return;
            }
        }
        self.close(batch);
        let number = self.taken;
        self.taken += 1;
        match self.open(number, call, batch) {
            Ok(()) => self.unpackers.note(number, unpack),
            Err(error) => self.refused(number, error),
        }
    }

    /// Begins another bundle with this task.
    fn open(&mut self, number: u64, call: Call<R>, batch: &mut Batch) -> Result<(), Error> {
        let (bundle, is_plain) = self.pool.bundle(call, &mut batch.values, &self.mailbox, number, batch.room)?;
        batch.open = Some(bundle);
        if !is_plain {
            // Others are not like this one.
            self.close(batch);
        }
        Ok(())
    }

    fn close(&mut self, batch: &mut Batch) {
        let Some(bundle) = batch.open.take() else { return };
        let (each, count) = (bundle.bytes() as f64 / bundle.len() as f64, bundle.len() as f64);
        self.bytes_each += (each - self.bytes_each) * (count / 16.0).min(1.0);
        let retries = self.pool.common.retries(bundle.entry);
        batch.jobs.push(bundle.into_job(retries));
    }

    fn refused(&mut self, number: u64, error: Error) {
        self.received += 1;
        self.arrived.push(Letter { first: number, count: 1, content: Content::Failed(error) });
    }

    fn hand_over(&mut self, mut jobs: Vec<Job>) {
        let Some(first) = jobs.first().map(|job| job.bundle.first) else { return };
        if let Err(error) = self.pool.common.submit(&mut jobs) {
            // It is for all that could come, so it is told once.
            self.is_done = true;
            let before = self.arrived.len();
            self.arrived.retain(|letter| letter.first < first);
            self.received -= (before - self.arrived.len()) as u64;
            self.taken = first + 1;
            self.refused(first, error);
        }
    }

    fn look(&mut self, until: Until) {
        let before = self.arrived.len();
        self.mailbox.collect(&mut self.arrived, until);
        self.received += self.arrived[before..].iter().map(|letter| letter.count as u64).sum::<u64>();
    }

    /// Waits until something arrives. `false` if nothing can.
    fn wait(&mut self) -> bool {
        if self.received == self.taken {
            return !self.is_done;
        }
        self.look(Until::Now);
        if self.arrived.is_empty() {
            self.has_waited = true;
            // Where no more is handed out, workers may run dry meanwhile.
            let may_widen = !self.is_done && self.room() == 0 && self.window < self.widest();
            let look_up = may_widen.then(|| Instant::now().checked_add(self.pause)).flatten();
            self.look(look_up.map_or(Until::Ever, Until::Time));
            self.pause = if self.arrived.is_empty() { (self.pause * 2).min(LAST_PAUSE) } else { FIRST_PAUSE };
        }
        true
    }

    /// Takes the next result of the first letter.
    fn give_first(&mut self, ready: &mut VecDeque<Letter>) -> Option<(u64, Result<R, Error>)> {
        let letter = ready.front_mut()?;
        let number = letter.first;
        self.given += 1;
        if let Content::Long { .. } = letter.content {
            self.bytes_each = self.bytes_each.max(letter.bytes() as f64 / 4.0);
        }
        let result = match self.unpackers.of(number) {
            Some(unpack) => letter.take(unpack),
            // No call was packed: it is an error.
            None => letter.take(|_| Err(crate::wire::CodecError::new("it has no type"))),
        };
        if letter.count == 0 {
            ready.pop_front();
        }
        Some((number, result))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let on_their_way = (self.taken - self.given) as usize;
        (0, self.inputs.size_hint().1.and_then(|more| more.checked_add(on_their_way)))
    }
}

/// Tasks that are handed to the pool together.
struct Batch {
    jobs: Vec<Job>,
    /// The last one, to which more can be added.
    open: Option<Bundle>,
    /// The inherited statics of this moment, once they are asked for.
    values: Option<Arc<Values>>,
    /// How many tasks there may be.
    room: usize,
}

struct Filled {
    /// The inputs took their time.
    is_slow: bool,
}

impl<R, I: Iterator, F> Drop for Feed<'_, R, I, F> {
    fn drop(&mut self) {
        if self.received < self.taken {
            self.mailbox.abandon();
            let common = &self.pool.common;
            common.withdraw_unwanted();
            common.cancellations.fetch_add(1, Ordering::AcqRel);
            common.wake_all();
        }
    }
}

/// What rebuilds the result of each call. It is the same for all, unless the closure calls different entries.
struct Unpackers<R> {
    usual: Option<Unpack<R>>,
    others: HashMap<u64, Unpack<R>>,
}

impl<R> Unpackers<R> {
    fn note(&mut self, number: u64, unpack: Unpack<R>) {
        let usual = *self.usual.get_or_insert(unpack);
        // Two addresses of one function are one entry more in the map, and nothing else.
        if usual as usize != unpack as usize {
            self.others.insert(number, unpack);
        }
    }

    fn of(&mut self, number: u64) -> Option<Unpack<R>> {
        if self.others.is_empty() { self.usual } else { self.others.remove(&number).or(self.usual) }
    }
}

impl<R, I: Iterator, F> fmt::Debug for Map<'_, R, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("given", &self.feed.given)
            .field("window", &self.feed.window)
            .finish_non_exhaustive()
    }
}

impl<R, I: Iterator, F> fmt::Debug for MapUnordered<'_, R, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapUnordered").field("given", &self.feed.given).finish_non_exhaustive()
    }
}
