//! What may be passed by reference as a whole argument.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::SpawnSafe;
use crate::wire::{CodecError, Packer, Unpacker};

/// Types of which a child entry may take a reference, as a whole argument.
///
/// The parent packs through the reference, without a clone; the child owns what it unpacks and lends it to the entry
/// for the time of the call. Implemented for every [`SpawnSafe`] type, and for `str`, `[T]`, `Path`, `OsStr` and
/// `CStr`. A reference inside another type (`Vec<&str>`) cannot be passed.
#[diagnostic::on_unimplemented(
    message = "`&{Self}` cannot be lent to a child process",
    label = "the child would need an owned form of `{Self}` to lend from",
    note = "what can be lent: `&T` and `&[T]` for a `SpawnSafe` type `T`; and `&str`, `&Path`, `&OsStr`, `&CStr`"
)]
pub trait LendSafe: Serialize + 'static {
    /// What the child owns and lends from.
    type Owned: 'static;

    #[doc(hidden)]
    fn lend(owned: &Self::Owned) -> &Self;

    #[doc(hidden)]
    fn __pack_lent(&self, packer: &mut Packer) -> Result<(), CodecError>;

    #[doc(hidden)]
    fn __unpack_owned(unpacker: &mut Unpacker<'_>) -> Result<Self::Owned, CodecError>;
}

impl<T: SpawnSafe> LendSafe for T {
    type Owned = T;

    fn lend(owned: &T) -> &T {
        owned
    }

    fn __pack_lent(&self, packer: &mut Packer) -> Result<(), CodecError> {
        self.__pack_ref(packer)
    }

    fn __unpack_owned(unpacker: &mut Unpacker<'_>) -> Result<T, CodecError> {
        T::__unpack(unpacker)
    }
}

impl<T: SpawnSafe> LendSafe for [T] {
    type Owned = Vec<T>;

    fn lend(owned: &Vec<T>) -> &[T] {
        owned
    }

    fn __pack_lent(&self, packer: &mut Packer) -> Result<(), CodecError> {
        T::__pack_run(self, packer)
    }

    fn __unpack_owned(unpacker: &mut Unpacker<'_>) -> Result<Vec<T>, CodecError> {
        T::__unpack_run(unpacker)
    }
}

/// `&str` and the like: packed as the borrowed type, unpacked as the owned one.
macro_rules! lend_as {
    ($($borrowed:ty => $owned:ty),* $(,)?) => {$(
        impl LendSafe for $borrowed {
            type Owned = $owned;

            fn lend(owned: &$owned) -> &$borrowed {
                owned
            }

            fn __pack_lent(&self, packer: &mut Packer) -> Result<(), CodecError> {
                packer.value(self)
            }

            fn __unpack_owned(unpacker: &mut Unpacker<'_>) -> Result<$owned, CodecError> {
                unpacker.value()
            }
        }
    )*};
}

lend_as! {
    str => String,
    OsStr => OsString,
    CStr => CString,
}

/// As an `OsStr`: serde refuses a path that is not Unicode, which on Unix is a path like any other.
impl LendSafe for Path {
    type Owned = PathBuf;

    fn lend(owned: &PathBuf) -> &Path {
        owned
    }

    fn __pack_lent(&self, packer: &mut Packer) -> Result<(), CodecError> {
        packer.value(self.as_os_str())
    }

    fn __unpack_owned(unpacker: &mut Unpacker<'_>) -> Result<PathBuf, CodecError> {
        unpacker.value::<OsString>().map(PathBuf::from)
    }
}
