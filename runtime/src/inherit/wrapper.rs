//! The types that annotated statics have: they tell by themselves what becomes of a static in a child.

use std::fmt;
use std::ops::Deref;

use crate::probe::Declared;

/// The type of a static with [`#[inherit]`](macro@crate::inherit), which makes it: a `C` whose value travels to children.
///
/// It is used as the `C` in it. There is no way to make one by hand: the attribute also registers the static, and
/// without that nothing would travel.
pub struct Inherit<C>(C);

/// A value that every process has for itself, on purpose: a cache, a counter, a loaded model.
///
/// In a child a static is as the program initializes it, whatever the parent has done to its own. Of a static with
/// interior mutability that is more often a mistake than not; this type says that it is none.
/// [`#[process_local]`](macro@crate::process_local) puts it around the type of a static, and it can as well be written
/// by hand:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use spawnsafe::{ProcessLocal, child_entry};
///
/// static CACHE: ProcessLocal<Mutex<Vec<String>>> = ProcessLocal::new(Mutex::new(Vec::new()));
///
/// #[child_entry]
/// fn remember(word: String) -> usize {
///     let mut cache = CACHE.lock().unwrap();
///     cache.push(word);
///     cache.len()
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() {
/// assert_eq!(remember("here".into()), 1);
/// assert_eq!(remember::run("there".into()).unwrap(), 1);
/// # }
/// ```
#[derive(Default)]
pub struct ProcessLocal<T>(T);

impl<C> Inherit<C> {
    /// Called by `#[inherit]` only, which also registers the static.
    #[doc(hidden)]
    #[must_use]
    pub const fn __registered(container: C) -> Self {
        Self(container)
    }
}

impl<T> ProcessLocal<T> {
    /// Says of a value that each process has its own.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

/// Entries may use both: what they mean in a child is declared.
impl<C> Declared for Inherit<C> {}
impl<T> Declared for ProcessLocal<T> {}

impl<C> Deref for Inherit<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<T> Deref for ProcessLocal<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<C: fmt::Debug> fmt::Debug for Inherit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for ProcessLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
