//! The pools of an agent behind a queue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::FailedValue;
use crate::inherit::Values;
use crate::pool::Pool;

/// A pool for all parcels that say the same of what it is to be like.
pub(super) struct Local {
    pub(super) orders: Vec<u8>,
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) pool: Pool,
    pub(super) failed_value: Arc<FailedValue>,
    /// The inherited statics of the last parcel: workers are told of those that have changed, and are not asked again
    /// whether they have.
    values: Mutex<Arc<Values>>,
    /// When it was used last, in milliseconds from the start.
    used: AtomicU64,
    started: Instant,
}

impl Local {
    /// The pool of these orders, whose workers have begun, or are to begin, with these inherited statics.
    pub(super) fn new(
        (orders, blobs): (&[u8], Vec<Vec<u8>>),
        pool: Pool,
        failed_value: Arc<FailedValue>,
        values: &Arc<Values>,
    ) -> Self {
        Self {
            orders: orders.to_vec(),
            blobs,
            pool,
            failed_value,
            values: Mutex::new(Arc::clone(values)),
            used: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    pub(super) fn touch(&self) {
        self.used.store(self.started.elapsed().as_millis() as u64, Ordering::Release);
    }

    pub(super) fn idle(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Acquire)))
    }

    /// The inherited statics of a parcel; the same as before if nothing has changed.
    pub(super) fn values(&self, now: Values) -> Arc<Values> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if !now.is_same(&values) {
            *values = Arc::new(now);
        }
        Arc::clone(&values)
    }
}
