//! How far a `map` is, on the terminal.

use std::borrow::Cow;
use std::fmt;

use indicatif::{ProgressBar, ProgressStyle};

use super::map::{Map, MapUnordered};
use crate::error::Error;
use crate::handle::Call;

/// The results of a [`Map`] or [`MapUnordered`], with a bar on the terminal that shows how far they are.
///
/// The bar is on standard error, and only if that is a terminal. It shows how many results there are, how many in a
/// second, how long the rest will take (if the number of inputs is known) and how many have failed.
#[must_use = "iterators are lazy, and so is this one: nothing runs until it is asked for results"]
pub struct WithProgress<M> {
    results: M,
    bar: ProgressBar,
    what: Cow<'static, str>,
    failed: u64,
}

/// What a [`WithProgress`] counts: results, as [`Map`] and [`MapUnordered`] give them.
pub trait Finished {
    #[doc(hidden)]
    fn __has_failed(&self) -> bool;
}

impl<R> Finished for Result<R, Error> {
    fn __has_failed(&self) -> bool {
        self.is_err()
    }
}

impl<R> Finished for (usize, Result<R, Error>) {
    fn __has_failed(&self) -> bool {
        self.1.is_err()
    }
}

impl<'p, R, I, F> Map<'p, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    /// Shows how far it is, with feature `progress`; `what` says what is being done.
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
    /// let squares: Vec<u64> = pool.map(square::call, 0..100).with_progress("squaring").collect::<Result<_, _>>()?;
    /// assert_eq!(squares[99], 9801);
    /// # Ok(()) }
    /// ```
    pub fn with_progress(self, what: impl Into<Cow<'static, str>>) -> WithProgress<Self> {
        WithProgress::new(self, what.into())
    }
}

impl<'p, R, I, F> MapUnordered<'p, R, I, F>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<R>,
{
    /// Shows how far it is: see [`Map::with_progress`].
    pub fn with_progress(self, what: impl Into<Cow<'static, str>>) -> WithProgress<Self> {
        WithProgress::new(self, what.into())
    }
}

impl<M: Iterator> WithProgress<M> {
    fn new(results: M, what: Cow<'static, str>) -> Self {
        // A bar on what is no terminal draws nothing.
        let (bar, template) = match results.size_hint().1 {
            Some(all) => {
                (ProgressBar::new(all as u64), "{msg} {wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {msg}: {human_pos}, {per_sec}, {elapsed}"),
        };
        // The texts above are templates.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(what.clone());
        Self { results, bar, what, failed: 0 }
    }
}

impl<M: Iterator<Item: Finished>> Iterator for WithProgress<M> {
    type Item = M::Item;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(result) = self.results.next() else {
            self.bar.finish();
            return None;
        };
        if result.__has_failed() {
            self.failed += 1;
            self.bar.set_message(format!("{} ({} failed)", self.what, self.failed));
        }
        self.bar.inc(1);
        Some(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.results.size_hint()
    }
}

impl<M> Drop for WithProgress<M> {
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
    }
}

impl<M> fmt::Debug for WithProgress<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithProgress").field("what", &self.what).field("failed", &self.failed).finish_non_exhaustive()
    }
}
