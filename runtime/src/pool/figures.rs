//! What a pool is doing, in numbers.

/// What a [`Pool`](crate::Pool) is doing at one moment, for dashboards and tests.
///
/// Tasks count from `submit` on, those of a `map` from when it hands them to the pool. The numbers are taken one after
/// another while the pool works, so that they may be off by the tasks of that moment.
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
/// assert_eq!(pool.map(square::call, 0..100).count(), 100);
/// let figures = pool.figures();
/// assert_eq!((figures.done, figures.failed, figures.queued), (100, 0, 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Workers that are there and ready.
    pub workers: usize,
    /// Tasks that wait.
    pub queued: usize,
    /// Tasks that run.
    pub running: usize,
    /// Tasks that have ended with a value.
    pub done: u64,
    /// Tasks that have ended with an error, cancelled ones as well.
    pub failed: u64,
    /// Workers that were started in the place of another one: because that had died or was killed, or had run
    /// [as many tasks as it may](crate::PoolBuilder::max_tasks_per_worker).
    pub restarts: u64,
}
