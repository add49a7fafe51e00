//! `#[trust]`: plain data of a foreign type, by the word of the user. What the word is not enough for is checked.
//!
//! Whether a type holds a lock, an atomic or a cell cannot be asked of the type. But const evaluation refuses to read
//! the memory of a `static` exactly if it is mutable, and it is if the type of the static holds such a thing inline.
//! So generated code makes a static of memory for one value of the type, never with a value in it, and reads of it
//! while compiling. What lies behind a pointer is not seen: there the user's word counts, unless std's types name it.

// rustc has no other way to ask. What it costs is one read of one byte, which is never run.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{ArgumentCodec, LentCodec, Passable, Stands, Value};

/// Memory for a `T`, with no `T` in it.
pub struct Vacant<T>(MaybeUninit<T>);

// SAFETY: a shared `Vacant<T>` gives no access to a `T`: there is none, and the field is private to this module, which
// reads it as a `MaybeUninit<u8>` only, and never writes. So no thread can see what another one does with it.
unsafe impl<T> Sync for Vacant<T> {}

impl<T> Vacant<T> {
    /// The memory.
    pub const NEW: Self = Self(MaybeUninit::uninit());
}

/// Does not compile if `T` holds a lock, an atomic or a cell: rustc then shows the line of the read, and the words
/// beside it. (No `#[track_caller]`, which would hide that line.)
pub const fn plain_data<T>(memory: &Vacant<T>) {
    if size_of::<T>() != 0 {
        let byte = (&raw const *memory).cast::<MaybeUninit<u8>>();
        // SAFETY: `byte` comes from a reference to memory of at least one byte, which is live and aligned for `T`, and
        // so for a byte; an uninitialized byte is a valid `MaybeUninit<u8>`. Nothing ever writes to it.
        let _ = unsafe { byte.read() }; // the type holds a lock, atomic or cell: pass the plain value inside it instead
    }
}

/// Types of std that hold a lock, an atomic or a cell, also behind a pointer. That makes their error the one that they
/// have without `#[trust]`, and finds them where the read would not.
pub trait Shared {}

macro_rules! shared {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$( impl<$($generics)*> Shared for $type {} )*};
}

shared! {
    [T: ?Sized] std::sync::Mutex<T>, [T: ?Sized] std::sync::RwLock<T>, [T] std::sync::OnceLock<T>,
    [T, F] std::sync::LazyLock<T, F>,
    [T: ?Sized] std::cell::Cell<T>, [T: ?Sized] std::cell::RefCell<T>, [T: ?Sized] std::cell::UnsafeCell<T>,
    [T] std::cell::OnceCell<T>, [T, F] std::cell::LazyCell<T, F>,
    [] std::sync::atomic::AtomicBool, [] std::sync::atomic::AtomicU8, [] std::sync::atomic::AtomicU16,
    [] std::sync::atomic::AtomicU32, [] std::sync::atomic::AtomicUsize, [] std::sync::atomic::AtomicI8,
    [] std::sync::atomic::AtomicI16, [] std::sync::atomic::AtomicI32, [] std::sync::atomic::AtomicIsize,
    [T: Shared + ?Sized] Box<T>, [T: Shared + ?Sized] std::sync::Arc<T>, [T: Shared] Vec<T>, [T: Shared] Option<T>,
    [T: Shared] std::collections::VecDeque<T>, [T: Shared] [T], [T: Shared, const N: usize] [T; N],
    [K, V: Shared, S] std::collections::HashMap<K, V, S>, [K, V: Shared] std::collections::BTreeMap<K, V>,
}

#[cfg(target_has_atomic = "64")]
shared!([] std::sync::atomic::AtomicU64, [] std::sync::atomic::AtomicI64);

/// Stands for `T` in a question that is asked by the name of a method: a method of the type itself comes before one of
/// a trait, but only where its bounds hold.
pub struct Trusted<T>(PhantomData<T>);

impl<T> Trusted<T> {
    /// The question.
    pub const NEW: Self = Self(PhantomData);
}

impl<T: Shared + 'static> Trusted<T> {
    /// Demands what is demanded without `#[trust]`.
    pub fn is_not_shared(&self)
    where
        Value<T>: Passable<T>,
    {
    }
}

/// The other answer.
pub trait Unknown {
    /// Demands nothing.
    fn is_not_shared(&self) {}
}

impl<T> Unknown for Trusted<T> {}

/// What a trusted field must be besides: `Send` keeps out what is tied to a thread or to an address. Whether serde can
/// write it is asked of the type that has the field, which may say how (`#[serde(with = …)]`).
pub const fn trusted_field<T: Send>() {}

/// What a `Value<T>` meets if a `T` may be passed by the user's word. A type that lacks several of the traits is one
/// error, not one for each: no reason lies deeper.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be passed to a child process, not even with `#[trust]`",
    label = "`serde::Serialize`, `serde::Deserialize` or `Send` is missing",
    note = "for a type of your own: put `#[derive(serde::Serialize, serde::Deserialize, spawnsafe::SpawnSafe)]` on it, and leave `#[trust]` out",
    note = "for a type of another crate: see whether that crate has a feature `serde`, or pass what the type is made of",
    note = "what is not `Send` is tied to a thread, or holds an address of this process"
)]
pub trait Trustable<T: 'static> {
    /// How it travels.
    const CODEC: ArgumentCodec<T>;
    /// How it travels when it is lent.
    const LENT: LentCodec<T>;
    /// How a lent slice of them travels.
    const SLICE: LentCodec<[T]>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static, V: Stands<T>> Trustable<T> for V {
    const CODEC: ArgumentCodec<T> = ArgumentCodec::by_serde();
    const LENT: LentCodec<T> = LentCodec::by_serde();
    const SLICE: LentCodec<[T]> = LentCodec::slice_by_serde();
}

/// The codec of a trusted argument that is passed by value.
#[must_use]
pub const fn trusted<T: 'static>() -> ArgumentCodec<T>
where
    Value<T>: Trustable<T>,
{
    <Value<T> as Trustable<T>>::CODEC
}

/// The codec of a trusted argument that is passed by reference.
#[must_use]
pub const fn trusted_lent<T: 'static>() -> LentCodec<T>
where
    Value<T>: Trustable<T>,
{
    <Value<T> as Trustable<T>>::LENT
}

/// The codec of a slice of trusted values.
#[must_use]
pub const fn trusted_slice<T: 'static>() -> LentCodec<[T]>
where
    Value<T>: Trustable<T>,
{
    <Value<T> as Trustable<T>>::SLICE
}

impl<T> fmt::Debug for Vacant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vacant")
    }
}

impl<T> fmt::Debug for Trusted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trusted")
    }
}
