//! Runs of numbers: typed arrays of [RFC 8746], in the byte order of this machine, so that most are moved and not
//! written one by one. Either byte order is read.
//!
//! [RFC 8746]: https://www.rfc-editor.org/rfc/rfc8746

use std::fmt::Debug;

use bytemuck::Pod;
use serde::de::Visitor;

use super::CodecError;

/// From this many on, numbers of one type are written as a run. Below it, a plain sequence is as short.
pub(super) const RUN_MIN: usize = 16;

/// What the elements of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

/// A type of number that runs are made of.
pub(crate) trait Number: Pod + Debug + Send + Sync {
    const KIND: Kind;

    /// The number whose bytes are these, from last to first.
    fn swapped(self) -> Self;
}

macro_rules! numbers {
    ($($type:ident $kind:ident $swap:expr),* $(,)?) => {$(
        impl Number for $type {
            const KIND: Kind = Kind::$kind;

            fn swapped(self) -> Self {
                $swap(self)
            }
        }
    )*};
}

numbers! {
    u8 U8 u8::swap_bytes, u16 U16 u16::swap_bytes, u32 U32 u32::swap_bytes, u64 U64 u64::swap_bytes,
    i8 I8 i8::swap_bytes, i16 I16 i16::swap_bytes, i32 I32 i32::swap_bytes, i64 I64 i64::swap_bytes,
    f32 F32 |number: f32| f32::from_bits(number.to_bits().swap_bytes()),
    f64 F64 |number: f64| f64::from_bits(number.to_bits().swap_bytes()),
}

/// As serde writes them wherever their size is that of the numbers here.
macro_rules! sized_by_the_machine {
    ($($type:ident $short:ident $long:ident),*) => {$(
        impl Number for $type {
            const KIND: Kind = if size_of::<$type>() == 8 { Kind::$long } else { Kind::$short };

            fn swapped(self) -> Self {
                self.swap_bytes()
            }
        }

        // There are no other machines that Rust and std run on with processes.
        const _: () = assert!(<$type as Number>::KIND.size() == size_of::<$type>());
    )*};
}

sized_by_the_machine! { usize U32 U64, isize I32 I64 }

/// The tag of an array of this kind of number is 64, the kind, and this if the last byte of a number comes first.
const LITTLE: u64 = 4;

impl Kind {
    /// The tag without the byte order.
    const fn base(self) -> u64 {
        match self {
            Kind::U8 => 64,
            Kind::U16 => 65,
            Kind::U32 => 66,
            Kind::U64 => 67,
            Kind::I8 => 72,
            Kind::I16 => 73,
            Kind::I32 => 74,
            Kind::I64 => 75,
            Kind::F32 => 81,
            Kind::F64 => 82,
        }
    }

    pub(super) const fn size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    /// The tag of a run that this machine writes. Numbers of one byte have no order.
    pub(super) const fn tag(self) -> u64 {
        if cfg!(target_endian = "little") && self.size() > 1 { self.base() + LITTLE } else { self.base() }
    }

    /// The kind that a tag stands for, and whether the bytes of each number are in the other order than this machine's.
    pub(super) fn of_tag(tag: u64) -> Option<(Self, bool)> {
        const ALL: [Kind; 10] = [
            Kind::U8,
            Kind::U16,
            Kind::U32,
            Kind::U64,
            Kind::I8,
            Kind::I16,
            Kind::I32,
            Kind::I64,
            Kind::F32,
            Kind::F64,
        ];
        let kind =
            ALL.into_iter().find(|kind| tag == kind.base() || (kind.size() > 1 && tag == kind.base() + LITTLE))?;
        Some((kind, tag != kind.tag()))
    }
}

/// A number, or any bytes that are long, on their way out. The buffer is given up where it is, not copied.
#[derive(Debug)]
pub(crate) struct Blob(Box<dyn Bytes>);

trait Bytes: Debug + Send + Sync {
    fn bytes(&self) -> &[u8];
}

impl<N: Number> Bytes for Vec<N> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

impl<N: Number> From<Vec<N>> for Blob {
    fn from(numbers: Vec<N>) -> Self {
        Self(Box::new(numbers))
    }
}

impl std::ops::Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// The numbers of a run, one after another, on their way in.
#[derive(Debug)]
pub(super) struct Run<'de> {
    kind: Kind,
    swapped: bool,
    bytes: std::borrow::Cow<'de, [u8]>,
    position: usize,
}

impl<'de> Run<'de> {
    pub(super) fn new(kind: Kind, swapped: bool, bytes: std::borrow::Cow<'de, [u8]>) -> Result<Self, CodecError> {
        check_len(kind, bytes.len())?;
        Ok(Self { kind, swapped, bytes, position: 0 })
    }

    /// How many numbers are left.
    pub(super) fn len(&self) -> usize {
        (self.bytes.len() - self.position) / self.kind.size()
    }

    /// Gives the next number to the visitor: an integer as it would get it from a plain sequence.
    pub(super) fn visit<'a, V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, CodecError> {
        match self.kind {
            Kind::U8 => visitor.visit_u64(self.next::<u8>()?.into()),
            Kind::U16 => visitor.visit_u64(self.next::<u16>()?.into()),
            Kind::U32 => visitor.visit_u64(self.next::<u32>()?.into()),
            Kind::U64 => visitor.visit_u64(self.next()?),
            Kind::I8 => signed(self.next::<i8>()?.into(), visitor),
            Kind::I16 => signed(self.next::<i16>()?.into(), visitor),
            Kind::I32 => signed(self.next::<i32>()?.into(), visitor),
            Kind::I64 => signed(self.next()?, visitor),
            Kind::F32 => visitor.visit_f32(self.next()?),
            Kind::F64 => visitor.visit_f64(self.next()?),
        }
    }

    fn next<N: Number>(&mut self) -> Result<N, CodecError> {
        let end = self.position + size_of::<N>();
        let bytes =
            self.bytes.get(self.position..end).ok_or_else(|| CodecError::new("a list of numbers is too short"))?;
        self.position = end;
        let number = bytemuck::pod_read_unaligned::<N>(bytes);
        Ok(if self.swapped { number.swapped() } else { number })
    }
}

fn signed<'a, V: Visitor<'a>>(number: i64, visitor: V) -> Result<V::Value, CodecError> {
    match u64::try_from(number) {
        Ok(positive) => visitor.visit_u64(positive),
        Err(_) => visitor.visit_i64(number),
    }
}

/// A run of numbers has as many bytes as whole numbers have.
pub(super) fn check_len(kind: Kind, len: usize) -> Result<(), CodecError> {
    if len % kind.size() == 0 { Ok(()) } else { Err(CodecError::new("a list of numbers ends in the middle of one")) }
}
