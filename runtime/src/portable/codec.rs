//! How one argument or result travels, as function pointers that are made in exactly one place.
//!
//! Generated code asks for a codec once per argument, at the span of the type that the user wrote. All else goes
//! through the pointers in it and has no bound, so a type that cannot travel is one error and not four.
//!
//! The obligation is stated on [`Value<T>`] and not on `T`: where the type in the outermost obligation is the faulty
//! type itself, rustc prints the outermost message, and not the reason.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;

use super::{LendSafe, SpawnSafe};
use crate::wire::{CodecError, Fault, Packed, Packer, Unpacker};

/// Stands for `T` in an obligation.
pub struct Value<T: ?Sized>(PhantomData<T>);

/// What a `Value<T>` meets if `T` may be passed by value. Its message is never seen: the reason lies deeper.
pub trait Passable<T: 'static> {
    /// How it travels.
    const CODEC: ArgumentCodec<T>;
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
    unpack: fn(&mut Unpacker<'_>) -> Result<T, CodecError>,
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

impl<T: ?Sized> Loan<T> {
    /// What the entry gets.
    #[must_use]
    pub fn lend(&self) -> &T {
        self.0.lend()
    }
}

impl<T: SpawnSafe> Passable<T> for Value<T> {
    const CODEC: ArgumentCodec<T> = ArgumentCodec { pack: T::__pack, unpack: T::__unpack };
}

impl<T: LendSafe + ?Sized> Lendable<T> for Value<T> {
    const CODEC: LentCodec<T> = LentCodec {
        pack: T::__pack_lent,
        unpack: |unpacker| T::__unpack_owned(unpacker).map(|owned| Loan(Box::new(Owned::<T>(owned)))),
    };
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

/// Packs an argument whose type borrows (`Cow<'_, str>`). The child unpacks the `'static` form of the type, which is
/// the one that has a codec; serde writes both alike.
pub fn borrowing<T: Serialize>(value: &T, packer: &mut Packer) -> Result<(), CodecError> {
    packer.value(value)
}

impl<T> ArgumentCodec<T> {
    /// Unpacks the argument `name` in the child.
    pub fn unpack(&self, name: &'static str, unpacker: &mut Unpacker<'_>) -> Result<T, Fault> {
        (self.unpack)(unpacker).map_err(|error| Fault::argument(name, error))
    }

    /// How the parent unpacks a result.
    #[must_use]
    pub fn unpacker(self) -> fn(&mut Unpacker<'_>) -> Result<T, CodecError> {
        self.unpack
    }
}

impl<T: ?Sized> LentCodec<T> {
    /// Unpacks what the argument `name` borrows from, in the child.
    pub fn unpack(&self, name: &'static str, unpacker: &mut Unpacker<'_>) -> Result<Loan<T>, Fault> {
        (self.unpack)(unpacker).map_err(|error| Fault::argument(name, error))
    }
}

/// Packs what an entry has returned.
pub fn pack_result<T>(codec: &ArgumentCodec<T>, value: T, mut packer: Packer) -> Result<Packed, Fault> {
    (codec.pack)(value, &mut packer).map_err(Fault::result)?;
    Ok(packer.finish())
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
