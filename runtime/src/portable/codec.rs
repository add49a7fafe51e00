//! How one argument or result travels, as function pointers that are made in exactly one place.
//!
//! Generated code asks for a codec once per argument, at the span of the type that the user wrote. All else goes
//! through the pointers in it and has no bound, so a type that cannot travel is one error and not four.
//!
//! The obligation is stated on [`Value<T>`] and not on `T`: where the type in the outermost obligation is the faulty
//! type itself, rustc prints the outermost message, and not the reason. It is met by impls for every type that
//! [`Stands`] for `T`: of an impl for `Value<T>` itself rustc would say in each error that it exists.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{LendSafe, SpawnSafe};
use crate::wire::{CodecError, Fault, Packed, Packer, Unpacker};

/// Stands for `T` in an obligation.
pub struct Value<T: ?Sized>(PhantomData<T>);

/// Says of a `Value<T>` what it stands for.
pub trait Stands<T: ?Sized> {}

impl<T: ?Sized> Stands<T> for Value<T> {}

/// What a `Value<T>` meets if `T` may be passed by value. Its message is never seen: the reason lies deeper.
pub trait Passable<T: 'static> {
    /// How it travels.
    const CODEC: ArgumentCodec<T>;
    /// How a lent slice of them travels.
    const SLICE: LentCodec<[T]>;
    /// How what [`borrowing`] has packed is unpacked.
    const BORROWING: ArgumentCodec<T>;
    /// The same for a slice.
    const BORROWING_SLICE: ArgumentCodec<Vec<T>>;
}

/// What a `Value<T>` meets if `&T` may be lent.
pub trait Lendable<T: ?Sized + 'static> {
    /// How it travels.
    const CODEC: LentCodec<T>;
}

/// How a `T` that is passed by value travels.
pub struct ArgumentCodec<T> {
    /// Packs it in the parent.
    pub pack: fn(T, &mut Packer) -> Result<(), CodecError>,
    /// Unpacks it in the child; a result, in the parent.
    pub(crate) unpack: fn(&mut Unpacker<'_>) -> Result<T, CodecError>,
}

/// How a `&T` travels: the parent packs through the reference, the child owns and lends.
pub struct LentCodec<T: ?Sized + 'static> {
    /// Packs it in the parent.
    pub pack: fn(&T, &mut Packer) -> Result<(), CodecError>,
    unpack: fn(&mut Unpacker<'_>) -> Result<Loan<T>, CodecError>,
}

/// What the child owns in order to lend a `&T` to the entry.
pub struct Loan<T: ?Sized>(Box<dyn Lender<T>>);

trait Lender<T: ?Sized> {
    fn lend(&self) -> &T;
}

struct Owned<T: LendSafe + ?Sized>(T::Owned);

impl<T: LendSafe + ?Sized> Lender<T> for Owned<T> {
    fn lend(&self) -> &T {
        T::lend(&self.0)
    }
}

/// What is lent as it is, without `LendSafe`.
struct Itself<T>(T);

impl<T> Lender<T> for Itself<T> {
    fn lend(&self) -> &T {
        &self.0
    }
}

/// The same for a slice.
struct Elements<T>(Vec<T>);

impl<T> Lender<[T]> for Elements<T> {
    fn lend(&self) -> &[T] {
        &self.0
    }
}

impl<T: ?Sized> Loan<T> {
    /// What the entry gets.
    #[must_use]
    pub fn lend(&self) -> &T {
        self.0.lend()
    }
}

impl<T: SpawnSafe, V: Stands<T>> Passable<T> for V {
    const CODEC: ArgumentCodec<T> = ArgumentCodec { pack: T::__pack, unpack: T::__unpack };
    const SLICE: LentCodec<[T]> = LentCodec::new();
    const BORROWING: ArgumentCodec<T> = ArgumentCodec::by_serde();
    const BORROWING_SLICE: ArgumentCodec<Vec<T>> = ArgumentCodec::by_serde();
}

impl<T: LendSafe + ?Sized, V: Stands<T>> Lendable<T> for V {
    const CODEC: LentCodec<T> = LentCodec::new();
}

impl<T: LendSafe + ?Sized> LentCodec<T> {
    const fn new() -> Self {
        Self {
            pack: T::__pack_lent,
            unpack: |unpacker| T::__unpack_owned(unpacker).map(|owned| Loan(Box::new(Owned::<T>(owned)))),
        }
    }
}

impl<T: Serialize + DeserializeOwned> ArgumentCodec<T> {
    pub(super) const fn by_serde() -> Self {
        Self { pack: |value, packer| packer.value(&value), unpack: |unpacker| unpacker.value() }
    }
}

impl<T: Serialize + DeserializeOwned> LentCodec<T> {
    pub(super) const fn by_serde() -> Self {
        Self {
            pack: |value, packer| packer.value(value),
            unpack: |unpacker| unpacker.value().map(|owned| Loan(Box::new(Itself(owned)))),
        }
    }
}

impl<T: Serialize + DeserializeOwned> LentCodec<[T]> {
    pub(super) const fn slice_by_serde() -> Self {
        Self {
            pack: |values, packer| packer.value(values),
            unpack: |unpacker| unpacker.value::<Vec<T>>().map(|owned| Loan(Box::new(Elements(owned)))),
        }
    }
}

impl ArgumentCodec<()> {
    /// The codec of an argument whose type borrows, or is lent and borrows; `T` is its `'static` form.
    #[must_use]
    pub const fn borrowing<T: 'static>() -> ArgumentCodec<T>
    where
        Value<T>: Passable<T>,
    {
        <Value<T> as Passable<T>>::BORROWING
    }

    /// The codec of a lent slice of what borrows.
    #[must_use]
    pub const fn borrowing_slice<T: 'static>() -> ArgumentCodec<Vec<T>>
    where
        Value<T>: Passable<T>,
    {
        <Value<T> as Passable<T>>::BORROWING_SLICE
    }
}

impl LentCodec<()> {
    /// The codec of a slice that is passed by reference. Asking for it by its element is what gives the element's
    /// reason: for `[T]: LendSafe` there are two impls to choose from, and rustc then looks no further.
    #[must_use]
    pub const fn of_slice<T: 'static>() -> LentCodec<[T]>
    where
        Value<T>: Passable<T>,
    {
        <Value<T> as Passable<T>>::SLICE
    }
}

/// The codec of an argument that is passed by value.
#[must_use]
pub const fn argument<T: 'static>() -> ArgumentCodec<T>
where
    Value<T>: Passable<T>,
{
    <Value<T> as Passable<T>>::CODEC
}

/// The codec of an argument that is passed by reference.
#[must_use]
pub const fn lent<T: ?Sized + 'static>() -> LentCodec<T>
where
    Value<T>: Lendable<T>,
{
    <Value<T> as Lendable<T>>::CODEC
}

/// The codec of a result.
#[must_use]
pub const fn result<T: 'static>() -> ArgumentCodec<T>
where
    Value<T>: Passable<T>,
{
    <Value<T> as Passable<T>>::CODEC
}

/// Demands of a field's type what is demanded of an argument's.
pub const fn field<T: 'static>()
where
    Value<T>: Passable<T>,
{
}

/// Packs an argument whose type borrows (`Cow<'_, str>`). Only the `'static` form of the type is `SpawnSafe`, so it goes
/// as serde writes it, without what `SpawnSafe` does better, and [`ArgumentCodec::borrowing`] reads just that.
pub fn borrowing<T>(value: &T) -> Borrowing<'_, T> {
    Borrowing(value)
}

/// An argument whose type borrows.
pub struct Borrowing<'a, T>(&'a T);

/// What a [`Borrowing`] is if serde cannot write it. Then its codec has been refused, and one error is enough.
#[derive(Debug)]
pub struct Refused;

impl<T: Serialize> Borrowing<'_, T> {
    /// Packs it in the parent.
    pub fn pack(&self, packer: &mut Packer) -> Result<(), CodecError> {
        packer.value(self.0)
    }
}

/// rustc looks for methods here if the one above does not apply.
impl<T> Deref for Borrowing<'_, T> {
    type Target = Refused;

    fn deref(&self) -> &Refused {
        &Refused
    }
}

impl Refused {
    /// Stands for [`Borrowing::pack`].
    pub fn pack(&self, _: &mut Packer) -> Result<(), CodecError> {
        Err(CodecError::new("serde cannot write it"))
    }
}

/// Unpacks the argument `name` in the child.
pub fn unpack<T>(codec: &ArgumentCodec<T>, name: &'static str, unpacker: &mut Unpacker<'_>) -> Result<T, Fault> {
    (codec.unpack)(unpacker).map_err(|error| Fault::argument(name, error))
}

/// Unpacks what the argument `name` borrows from, in the child.
pub fn unpack_lent<T: ?Sized>(
    codec: &LentCodec<T>,
    name: &'static str,
    unpacker: &mut Unpacker<'_>,
) -> Result<Loan<T>, Fault> {
    (codec.unpack)(unpacker).map_err(|error| Fault::argument(name, error))
}

/// Packs what an entry has returned.
pub fn pack_result<T>(codec: &ArgumentCodec<T>, value: T, mut packer: Packer) -> Result<Packed, Fault> {
    (codec.pack)(value, &mut packer).map_err(Fault::result)?;
    Ok(packer.finish())
}

impl<T> fmt::Debug for Borrowing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Borrowing")
    }
}

impl<T: ?Sized> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

impl<T> fmt::Debug for ArgumentCodec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentCodec")
    }
}

impl<T: ?Sized> fmt::Debug for LentCodec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LentCodec")
    }
}

impl<T: ?Sized> fmt::Debug for Loan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loan")
    }
}
