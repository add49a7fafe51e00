//! `LazyLock`s that are inherited. std lets nobody look whether one has been computed, nor set one, so the attribute
//! puts [`Computed::or`] around what computes it.

use std::any::Any;
use std::cell::RefCell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::global::{Accessed, Direction};
use super::{Access, Inherit};
use crate::error::RemoteError;
use crate::portable::SpawnSafe;

thread_local! {
    /// The value that the next `LazyLock` is to take which this thread forces. It stays here for that moment only.
    static HANDED: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Whether a `LazyLock` has been computed.
#[derive(Debug, Default)]
pub struct Computed(AtomicBool);

impl Computed {
    /// It has not been.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// What the `LazyLock` is to be: what the parent has handed down, or what is computed.
    pub fn or<T: 'static>(&self, compute: impl FnOnce() -> T) -> T {
        let handed = HANDED.with_borrow_mut(Option::take).and_then(|handed| handed.downcast::<T>().ok());
        let value = handed.map_or_else(compute, |handed| *handed);
        // From here on, to force it waits for this thread's last step at most, and never for this thread to start a child.
        self.0.store(true, Ordering::Release);
        value
    }
}

/// As [`access`](super::access), for a `LazyLock`. What has not been computed does not travel: a start computes nothing.
pub fn access_lazy<T: SpawnSafe, F: FnOnce() -> T>(
    global: &Inherit<LazyLock<T, F>>,
    computed: &Computed,
    Access(direction): Access<'_>,
) -> Accessed {
    match direction {
        Direction::Save(saved) if computed.0.load(Ordering::Acquire) => {
            saved.snapshot().take_for_good(LazyLock::force(global))
        }
        Direction::Save(_) => Ok(()),
        Direction::Restore(packed) => {
            let value: T = super::global::unpack(packed)?;
            HANDED.set(Some(Box::new(value)));
            LazyLock::force(global);
            match HANDED.take() {
                None => Ok(()),
                Some(_) => Err(RemoteError::msg("the child has computed it already, before `main`")),
            }
        }
    }
}
