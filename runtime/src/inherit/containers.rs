//! What can be inherited: std's containers for values that are set at run time, and what its owner says can be.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, OnceLock, RwLock, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::Snapshot;
use crate::error::RemoteError;
use crate::portable::SpawnSafe;

/// A container whose value [`#[inherit]`](macro@crate::inherit) can take out in a parent and put back in a child.
///
/// `OnceLock`, `Mutex`, `RwLock` and atomics are (and for a `LazyLock` the attribute has its own way). For a struct of your own, say which [`Value`](Inheritable::Value)
/// travels, and how it is taken and put back:
///
/// ```
/// use std::sync::RwLock;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use spawnsafe::{Inheritable, RemoteError, Snapshot, child_entry, inherit};
///
/// struct Settings {
///     verbose: AtomicBool,
///     names: RwLock<Vec<String>>,
/// }
///
/// impl Inheritable for Settings {
///     type Value = (bool, Vec<String>);
///
///     fn snapshot(&self, to: Snapshot<'_, Self::Value>) -> Result<(), RemoteError> {
///         let names = self.names.read().unwrap().clone();
///         to.take(&(self.verbose.load(Ordering::Relaxed), names))
///     }
///
///     fn restore(&self, (verbose, names): Self::Value) -> Result<(), RemoteError> {
///         self.verbose.store(verbose, Ordering::Relaxed);
///         *self.names.write().unwrap() = names;
///         Ok(())
///     }
/// }
///
/// #[inherit]
/// static SETTINGS: Settings = Settings { verbose: AtomicBool::new(false), names: RwLock::new(Vec::new()) };
///
/// #[child_entry]
/// fn names() -> Vec<String> {
///     SETTINGS.names.read().unwrap().clone()
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() {
/// SETTINGS.names.write().unwrap().push("Ada".into());
/// assert_eq!(names::run().unwrap(), ["Ada"]);
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a child process cannot be given the value of a static `{Self}`",
    label = "`#[inherit]` does not know how to take a value out of this and to put it back",
    note = "for a value that is set once, at run time: `OnceLock<T>`; for one that changes: `Mutex<T>`, `RwLock<T>` or an atomic",
    note = "a static that never changes is the same in every child: leave `#[inherit]` out",
    note = "for a `LazyLock`: write that name and not an alias of it",
    note = "for a type of your own: `impl spawnsafe::Inheritable for {Self}`"
)]
pub trait Inheritable {
    /// What travels.
    type Value: SpawnSafe;

    /// Gives the value that a child is to have that is started now; called by the thread that starts it.
    ///
    /// Where nothing is [taken](Snapshot::take), the child's static stays as the program initializes it.
    ///
    /// # Errors
    /// If there can be no value now. Nothing is started then, and the error is an
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) that names the static.
    fn snapshot(&self, to: Snapshot<'_, Self::Value>) -> Result<(), RemoteError>;

    /// Puts a value in place, in a child, before its entry runs.
    ///
    /// # Errors
    /// If it cannot be put in place. The entry does not run then, and the error is an
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) that names the static.
    fn restore(&self, value: Self::Value) -> Result<(), RemoteError>;
}

/// What was set stays, so it is packed once.
impl<T: SpawnSafe> Inheritable for OnceLock<T> {
    type Value = T;

    fn snapshot(&self, to: Snapshot<'_, T>) -> Result<(), RemoteError> {
        self.get().map_or(Ok(()), |value| to.take_for_good(value))
    }

    fn restore(&self, value: T) -> Result<(), RemoteError> {
        self.set(value).map_err(|_| {
            RemoteError::msg("the child has set it already, before `main` or while it rebuilt another static")
        })
    }
}

/// Nobody can tell whether it has changed (guards are std's), so it is packed for each child.
impl<T: SpawnSafe> Inheritable for Mutex<T> {
    type Value = T;

    fn snapshot(&self, to: Snapshot<'_, T>) -> Result<(), RemoteError> {
        to.take(&*patiently(|| self.try_lock())?)
    }

    fn restore(&self, value: T) -> Result<(), RemoteError> {
        *patiently(|| self.try_lock())? = value;
        Ok(())
    }
}

/// As for [`Mutex`].
impl<T: SpawnSafe> Inheritable for RwLock<T> {
    type Value = T;

    fn snapshot(&self, to: Snapshot<'_, T>) -> Result<(), RemoteError> {
        to.take(&*patiently(|| self.try_read())?)
    }

    fn restore(&self, value: T) -> Result<(), RemoteError> {
        *patiently(|| self.try_write())? = value;
        Ok(())
    }
}

macro_rules! atomics {
    ($($width:literal: $($atomic:ident $value:ty),+;)*) => {$($(
        #[cfg(target_has_atomic = $width)]
        impl Inheritable for std::sync::atomic::$atomic {
            type Value = $value;

            fn snapshot(&self, to: Snapshot<'_, $value>) -> Result<(), RemoteError> {
                to.take(&self.load(Ordering::SeqCst))
            }

            fn restore(&self, value: $value) -> Result<(), RemoteError> {
                self.store(value, Ordering::SeqCst);
                Ok(())
            }
        }
    )+)*};
}

atomics! {
    "8": AtomicBool bool, AtomicU8 u8, AtomicI8 i8;
    "16": AtomicU16 u16, AtomicI16 i16;
    "32": AtomicU32 u32, AtomicI32 i32;
    "64": AtomicU64 u64, AtomicI64 i64;
    "ptr": AtomicUsize usize, AtomicIsize isize;
}

/// How long a start waits for a lock that is held. Other threads hold it for moments, which must not make a start fail;
/// the thread that starts the child would hold it for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// The guard, or why there is none. A poisoned lock may guard a value that is half changed. Whoever locks it here is
/// told so; in a child it would be a lock like any other, so it does not travel.
fn patiently<G>(mut attempt: impl FnMut() -> Result<G, TryLockError<G>>) -> Result<G, RemoteError> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(_)) => {
                return Err(RemoteError::msg(
                    "it is poisoned, as a thread has panicked while it held the lock; call `clear_poison` on it once its \
                     value is right",
                ));
            }
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            Err(TryLockError::WouldBlock) => {
                return Err(RemoteError::msg(
                    "it is locked, by this thread or for a long time by another; drop the guard before a child is started",
                ));
            }
        }
    }
}
