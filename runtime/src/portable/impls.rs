//! std's plain types, and its containers of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::{BuildHasher, Hash};
use std::path::{Path, PathBuf};

use super::{LendSafe, SpawnSafe};
use crate::error::{Error, ErrorKind, ExitStatus, Panic, RemoteError};
use crate::wire::{CodecError, Packer, Unpacker};

macro_rules! plain {
    ($($type:ty),* $(,)?) => {$( impl SpawnSafe for $type {} )*};
}

plain! {
    (), char, u128, i128,
    std::num::NonZeroU8, std::num::NonZeroU16, std::num::NonZeroU32, std::num::NonZeroU64, std::num::NonZeroU128,
    std::num::NonZeroUsize, std::num::NonZeroI8, std::num::NonZeroI16, std::num::NonZeroI32, std::num::NonZeroI64,
    std::num::NonZeroI128, std::num::NonZeroIsize,
    Box<str>, OsString, CString, Box<CStr>, Box<OsStr>, Cow<'static, str>, Cow<'static, OsStr>, Cow<'static, CStr>,
    std::time::Duration, std::time::SystemTime,
    std::net::IpAddr, std::net::Ipv4Addr, std::net::Ipv6Addr,
    std::net::SocketAddr, std::net::SocketAddrV4, std::net::SocketAddrV6,
    Error, ErrorKind, ExitStatus, Panic, RemoteError,
}

macro_rules! containers {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$( impl<$($generics)*> SpawnSafe for $type {} )*};
}

containers! {
    [T: SpawnSafe] Option<T>,
    [T: SpawnSafe] VecDeque<T>,
    [T: SpawnSafe] LinkedList<T>,
    [T: SpawnSafe + Ord] BTreeSet<T>,
    [T: SpawnSafe + Ord] BinaryHeap<T>,
    [K: SpawnSafe + Ord, V: SpawnSafe] BTreeMap<K, V>,
    [T: SpawnSafe + Eq + Hash, S: BuildHasher + Default + 'static] HashSet<T, S>,
    [K: SpawnSafe + Eq + Hash, V: SpawnSafe, S: BuildHasher + Default + 'static] HashMap<K, V, S>,
    [T: ?Sized + 'static] std::marker::PhantomData<T>,
    [T: SpawnSafe] std::ops::Range<T>,
    [T: SpawnSafe] std::ops::RangeInclusive<T>,
    [T: SpawnSafe] std::ops::RangeFrom<T>,
    [T: SpawnSafe] std::ops::RangeTo<T>,
    [T: SpawnSafe] std::ops::Bound<T>,
    [T: SpawnSafe] std::cmp::Reverse<T>,
    [T: SpawnSafe] std::num::Wrapping<T>,
    [T: SpawnSafe + Clone] Cow<'static, T>,
    [T: SpawnSafe + Clone] Cow<'static, [T]>,
}

/// Serde implements it for each of these, and not for every `T`.
macro_rules! saturating {
    ($($number:ty),*) => {$( impl SpawnSafe for std::num::Saturating<$number> {} )*};
}
saturating!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

/// Arrays as far as serde has them.
macro_rules! arrays {
    ($($len:literal)*) => {$( impl<T: SpawnSafe> SpawnSafe for [T; $len] {} )*};
}
arrays!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);

/// Serde implements the empty array for every `T`, so there is nothing to demand of it.
impl<T: 'static> SpawnSafe for [T; 0] {}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$( impl<$($name: SpawnSafe),+> SpawnSafe for ($($name,)+) {} )*};
}
tuples! {
    A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; A B C D E F G H I;
    A B C D E F G H I J; A B C D E F G H I J K; A B C D E F G H I J K L; A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N; A B C D E F G H I J K L M N O; A B C D E F G H I J K L M N O P;
}

/// A run of bytes is a byte string, not a sequence of numbers: 100 times faster, and half as long.
impl SpawnSafe for u8 {
    fn __pack_run(run: &[u8], packer: &mut Packer) -> Result<(), CodecError> {
        packer.bytes(run)
    }

    fn __pack_owned_run(run: Vec<u8>, packer: &mut Packer) -> Result<(), CodecError> {
        packer.owned_bytes(run)
    }

    fn __unpack_run(unpacker: &mut Unpacker<'_>) -> Result<Vec<u8>, CodecError> {
        unpacker.owned_bytes()
    }
}

/// Runs of other numbers are moved as their bytes as well.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl SpawnSafe for $number {
            fn __pack_run(run: &[Self], packer: &mut Packer) -> Result<(), CodecError> {
                packer.numbers(run)
            }

            fn __pack_owned_run(run: Vec<Self>, packer: &mut Packer) -> Result<(), CodecError> {
                packer.owned_numbers(run)
            }

            fn __unpack_run(unpacker: &mut Unpacker<'_>) -> Result<Vec<Self>, CodecError> {
                unpacker.numbers()
            }
        }
    )*};
}
numbers!(u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);

/// A byte each, as numbers: CBOR has no array of truth values.
impl SpawnSafe for bool {
    fn __pack_run(run: &[bool], packer: &mut Packer) -> Result<(), CodecError> {
        packer.numbers(bytemuck::cast_slice::<bool, u8>(run))
    }

    fn __unpack_run(unpacker: &mut Unpacker<'_>) -> Result<Vec<bool>, CodecError> {
        let bytes = unpacker.numbers::<u8>()?;
        match bytemuck::checked::try_cast_slice(&bytes) {
            Ok(truths) => Ok(truths.to_vec()),
            Err(_) => Err(CodecError::new("a truth value is neither 0 nor 1")),
        }
    }
}

impl SpawnSafe for String {
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError> {
        packer.owned_text(self)
    }
}

impl SpawnSafe for PathBuf {
    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        self.as_path().__pack_lent(packer)
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        Path::__unpack_owned(unpacker)
    }

    fn __pack_run(run: &[PathBuf], packer: &mut Packer) -> Result<(), CodecError> {
        packer.value(&run.iter().map(|path| path.as_os_str()).collect::<Vec<_>>())
    }

    fn __unpack_run(unpacker: &mut Unpacker<'_>) -> Result<Vec<Self>, CodecError> {
        let names: Vec<OsString> = unpacker.value()?;
        Ok(names.into_iter().map(PathBuf::from).collect())
    }
}

impl SpawnSafe for Box<Path> {
    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        (**self).__pack_lent(packer)
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        Path::__unpack_owned(unpacker).map(PathBuf::into_boxed_path)
    }
}

impl SpawnSafe for Cow<'static, Path> {
    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        (**self).__pack_lent(packer)
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        Path::__unpack_owned(unpacker).map(Cow::Owned)
    }
}

impl<T: SpawnSafe> SpawnSafe for Vec<T> {
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError> {
        T::__pack_owned_run(self, packer)
    }

    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        T::__pack_run(self, packer)
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        T::__unpack_run(unpacker)
    }
}

impl<T: SpawnSafe> SpawnSafe for Box<[T]> {
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError> {
        T::__pack_owned_run(self.into_vec(), packer)
    }

    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        T::__pack_run(self, packer)
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        T::__unpack_run(unpacker).map(Vec::into_boxed_slice)
    }
}

impl<T: SpawnSafe> SpawnSafe for Box<T> {
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError> {
        (*self).__pack(packer)
    }

    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        (**self).__pack_ref(packer)
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        T::__unpack(unpacker).map(Box::new)
    }
}

/// As serde writes it, but through the hooks of what is inside: most results that are long are `Ok` of something long.
impl<T: SpawnSafe, E: SpawnSafe> SpawnSafe for Result<T, E> {
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError> {
        match self {
            Ok(value) => packer.variant("Ok", |packer| value.__pack(packer)),
            Err(error) => packer.variant("Err", |packer| error.__pack(packer)),
        }
    }

    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        match self {
            Ok(value) => packer.variant("Ok", |packer| value.__pack_ref(packer)),
            Err(error) => packer.variant("Err", |packer| error.__pack_ref(packer)),
        }
    }

    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError> {
        match unpacker.variant()? {
            "Ok" => T::__unpack(unpacker).map(Ok),
            "Err" => E::__unpack(unpacker).map(Err),
            name => Err(CodecError::new(format!("`{name}` is no variant of `Result`"))),
        }
    }
}
