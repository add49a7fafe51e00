//! What stands behind the probes: code that never runs, beside each path in an entry's body that may be a static.
//!
//! For every path the macro generates
//!
//! ```text
//! const PATH_is_not_inherited_by_a_spawned_child: () = {
//!     static PLACE: Place = Place { of: &PATH as &dyn Anything };
//!     read(PLACE.of, &|| Probe(&PATH).verdict())
//! };
//! ```
//!
//! and rustc decides twice. The method call picks the first verdict that fits the type ([`Probe`]): a
//! type of std that is known to be each process's own is an error with our words. Whatever else it is, `read` then reads
//! the start of it *in const evaluation*, which rustc refuses exactly when that memory is mutable: with interior
//! mutability anywhere in it, as `static mut`, or foreign. Consts, plain statics, functions and variants pass.
//!
//! The static in the middle is there for consts that own something: a temporary of one may not be dropped in a const,
//! and lives forever in a static. The closure carries the verdict's type into const evaluation, where its method could
//! not be called.
#![allow(unsafe_code)]

use std::cell::{Cell, LazyCell, OnceCell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize,
};
use std::sync::{Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
use std::thread::LocalKey;

/// Any type, for a pointer that knows how large its target is.
pub trait Anything {}

impl<T> Anything for T {}

/// What may be a static, where const evaluation can look at it.
#[expect(missing_debug_implementations, reason = "of what it refers to nothing is known")]
#[derive(Clone, Copy)]
pub struct Place {
    /// The value.
    pub of: &'static dyn Anything,
}

// SAFETY: it is looked at in const evaluation only. What it refers to is a static, and those are `Sync`, or a constant
// that nothing else refers to.
unsafe impl Sync for Place {}

/// What may be a static, as something with a type. A call of `verdict` on it finds the first method that fits the type:
/// its own, or one of what it dereferences to. (They are methods of types, and not of traits: to import a trait into
/// each probe cost more than all the rest of it.)
#[derive(Debug)]
pub struct Probe<T: ?Sized>(pub *const T);

/// What is not declared to be allowed.
#[derive(Debug)]
pub struct Undeclared<T: ?Sized>(PhantomData<*const T>);

/// What is not known by name either.
#[derive(Debug)]
pub struct Unknown<T: ?Sized>(PhantomData<*const T>);

/// Types of which every process has its own on purpose, or whose values the child gets: those of `#[process_local]` and
/// `#[inherit]`.
pub trait Declared {}

/// Types about which all is known by name.
pub trait Known {
    /// What is known.
    type Verdict;
}

/// What the type of a path says of it.
#[diagnostic::on_unimplemented(message = "a child process has its own of this", label = "used in a child entry")]
pub trait Verdict {
    /// Whether the memory may be mutable.
    const MAY_BE_MUTABLE: bool = false;
    /// Whether it stands for a value that is made when it is first used.
    const IS_LAZY: bool = false;
}

/// Nothing: it is the memory that counts.
#[derive(Debug)]
pub struct ByMemory;

/// It may be used.
#[derive(Debug)]
pub struct Allowed;

/// It dereferences to something; without memory of its own, that must be elsewhere.
#[derive(Debug)]
pub struct Lazy;

/// It is each process's own.
#[derive(Debug)]
pub struct Own<T: ?Sized>(PhantomData<T>);

impl Verdict for ByMemory {}

impl Verdict for Allowed {
    const MAY_BE_MUTABLE: bool = true;
}

impl Verdict for Lazy {
    const IS_LAZY: bool = true;
}

impl<T: InheritedBySpawn + ?Sized> Verdict for Own<T> {}

/// Met by nothing.
#[diagnostic::on_unimplemented(
    message = "this `{Self}` belongs to the process that set it: a child process starts with a fresh one",
    label = "each process has its own",
    note = "to give the child the value: pass it to the entry as an argument",
    note = "to send the value of a static along with every spawn: put `#[spawnsafe::inherit]` on the static",
    note = "if each process is meant to have its own (a cache, a counter): put `#[spawnsafe::process_local]` on the static, or list one of another crate in `allow_static(path)` of the entry"
)]
pub trait InheritedBySpawn {}

macro_rules! own {
    ($([$($generics:tt)*] $type:ty),+ $(,)?) => {$(
        impl<$($generics)*> Known for $type {
            type Verdict = Own<Self>;
        }
    )+};
}

own! {
    [] AtomicBool, [] AtomicI8, [] AtomicI16, [] AtomicI32, [] AtomicI64, [] AtomicIsize, [T] AtomicPtr<T>, [] AtomicU8,
    [] AtomicU16, [] AtomicU32, [] AtomicU64, [] AtomicUsize, [] Barrier, [] Condvar, [] Once, [T: ?Sized] Cell<T>,
    [T, F] LazyCell<T, F>, [T, F] LazyLock<T, F>, [T: 'static] LocalKey<T>, [T: ?Sized] Mutex<T>, [T] OnceCell<T>,
    [T] OnceLock<T>, [T: ?Sized] RefCell<T>, [T: ?Sized] RwLock<T>, [T: ?Sized] UnsafeCell<T>,
}

macro_rules! as_inside {
    ($([$($generics:tt)*] $type:ty),+) => {$(
        impl<$($generics)*> Known for $type {
            type Verdict = T::Verdict;
        }
    )+};
}

as_inside! { [T: Known + ?Sized] &T, [T: Known] [T], [T: Known, const N: usize] [T; N], [T: Known] Option<T>, [T: Known] (T,) }

macro_rules! verdict {
    ($([$($generics:tt)*] $probe:ident<T>: $verdict:ty, or $next:ty;)+) => {$(
        impl<$($generics)*> $probe<T> {
            /// Is never called.
            pub fn verdict(&self) -> $verdict {
                unreachable!("a probe never runs")
            }
        }

        impl<T: ?Sized> Deref for $probe<T> {
            type Target = $next;

            fn deref(&self) -> &$next {
                unreachable!("a probe never runs")
            }
        }
    )+};
}

verdict! {
    [T: Declared + ?Sized] Probe<T>: Allowed, or Undeclared<T>;
    [T: Known + ?Sized] Undeclared<T>: T::Verdict, or Unknown<T>;
    [T: Deref + ?Sized] Unknown<T>: Lazy, or ByMemory;
}

impl ByMemory {
    /// Is never called.
    #[must_use]
    pub fn verdict(&self) -> Self {
        unreachable!("a probe never runs")
    }
}

/// What stands for a name that a token may or may not be: see `tolerant` in the macros.
#[derive(Clone, Copy, Debug)]
pub struct Missing;

/// Reads the start of what may be a static.
///
/// # Panics
/// If it is lazy.
pub const fn read<V: Verdict, F: Fn() -> V>(place: &'static dyn Anything, _: &F) {
    if V::MAY_BE_MUTABLE {
        return;
    }
    let start = &raw const *place;
    match (size_of_val(place), align_of_val(place)) {
        (0, _) if V::IS_LAZY => panic!(
            "this static is made anew by each process that uses it: pass the value to the entry as an argument, \
             or list the static in `allow_static(path)` of the entry"
        ),
        (0, _) => {}
        (_, OF_POINTER..) => read_start::<*const ()>(start.cast()),
        _ => read_start::<u8>(start.cast()),
    }
}

/// As [`read`], of what the user takes the address of.
pub const fn read_raw<V: Verdict, F: Fn() -> V, T>(place: *const T, _: &F) {
    match (size_of::<T>(), align_of::<T>()) {
        _ if V::MAY_BE_MUTABLE => {}
        (0, _) => {}
        (_, OF_POINTER..) => read_start::<*const ()>(place.cast()),
        _ => read_start::<u8>(place.cast()),
    }
}

/// What is aligned like this may start with a pointer, which is then read as one: rustc 1.85 cannot read a part of a
/// pointer while compiling. Of all else, a byte is enough.
const OF_POINTER: usize = align_of::<*const ()>();

/// The line that rustc shows.
const fn read_start<U>(start: *const MaybeUninit<U>) {
    // SAFETY: `start` is that of a static or constant that is not empty, whose size is a multiple of its alignment and so
    // at least a `U`'s, and whose content may be any, as it is read as `MaybeUninit`. Nothing else runs during const
    // evaluation.
    // rustc shows the two lines of this expression, and what stands in them.
    #[rustfmt::skip]
    let _: MaybeUninit<U> = unsafe {
        start // help: a child process has its own copy: pass the value as an argument, or mark the static `#[inherit]`
            .read() // or `#[process_local]`, or, if it is not yours, list it in `allow_static(path)` of the entry
    };
}
