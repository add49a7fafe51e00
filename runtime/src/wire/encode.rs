//! From serde's data model to CBOR.

mod compound;

use ciborium_ll::{Encoder, Header, simple};
use serde::ser::{self, Serialize};

use compound::Compound;

use super::numbers::Blob;
use super::run::Run;
use super::stack::StackGuard;
use super::{BLOB_MIN, CodecError, MAX_ATTACHMENTS, Memory, Packed, attach, tag};

/// `null`, the encoding of `None`, of `()` and of unit structs.
const NULL: u8 = 0xf6;

/// Before an unsigned integer of one byte that is above 23, and of as many bytes as it says.
pub(super) const ONE_BYTE: u8 = 0x18;
pub(super) const TWO_BYTES: u8 = 0x19;
pub(super) const FOUR_BYTES: u8 = 0x1a;
pub(super) const EIGHT_BYTES: u8 = 0x1b;

/// The encoded form of [`tag::SOME`].
pub(super) const SOME_PREFIX: [u8; 3] = [0xd9, (tag::SOME >> 8) as u8, tag::SOME as u8];

/// Packs values, one after another, into a frame's content.
#[derive(Debug)]
pub struct Packer {
    pub(super) packed: Packed,
    pub(super) run: Option<Run>,
    /// Where the writing went on when the last run that was none became a sequence.
    pub(super) mark: Option<usize>,
    pub(super) memory: Memory,
    guard: StackGuard,
    max_blobs: usize,
    max_attachments: usize,
}

type Done = Result<(), CodecError>;

impl Packer {
    /// Packs nothing yet.
    #[cfg(test)]
    pub(crate) fn new(memory: Memory) -> Self {
        Self::with_buffer(memory, Vec::new())
    }

    /// Packs nothing yet, and then into this buffer, which is empty.
    #[inline]
    pub(crate) fn with_buffer(memory: Memory, buffer: Vec<u8>) -> Self {
        // The number of a blob is a `u16` in the frame's header; a value with more long strings keeps the rest inline.
        let max_blobs = usize::from(u16::MAX);
        let max_attachments = MAX_ATTACHMENTS;
        let guard = StackGuard::new(memory.stack_end);
        let packed = Packed { items: buffer, ..Packed::default() };
        Self { packed, run: None, mark: None, memory, guard, max_blobs, max_attachments }
    }

    /// Packs everything into the items, long strings as well; what cannot go there is an error.
    pub(crate) fn items_only(self) -> Self {
        Self { max_blobs: 0, max_attachments: 0, ..self }
    }

    /// What was packed.
    #[inline]
    pub fn finish(self) -> Packed {
        self.packed
    }

    /// Appends any value.
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(self)
    }

    /// Appends a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> Done {
        if self.wants_blob(bytes.len()) {
            return self.copied_blob(tag::BYTES, bytes);
        }
        self.header(Header::Bytes(Some(bytes.len())));
        self.packed.items.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a byte string, without a copy if it is long.
    pub fn owned_bytes(&mut self, bytes: Vec<u8>) -> Done {
        if self.wants_blob(bytes.len()) { self.blob(tag::BYTES, bytes.into()) } else { self.bytes(&bytes) }
    }

    /// Appends a text, without a copy if it is long.
    pub fn owned_text(&mut self, text: String) -> Done {
        if self.wants_blob(text.len()) { self.blob(tag::TEXT, text.into_bytes().into()) } else { self.text(&text) }
    }

    /// Appends what the closure packs as the content of the variant `name` of an enum.
    pub fn variant(&mut self, name: &str, content: impl FnOnce(&mut Self) -> Done) -> Done {
        self.header(Header::Map(Some(1)));
        self.text(name)?;
        content(self)
    }

    fn text(&mut self, text: &str) -> Done {
        if self.wants_blob(text.len()) {
            return self.copied_blob(tag::TEXT, text.as_bytes());
        }
        self.header(Header::Text(Some(text.len())));
        self.packed.items.extend_from_slice(text.as_bytes());
        Ok(())
    }

    pub(super) fn wants_blob(&self, len: usize) -> bool {
        len >= BLOB_MIN && self.packed.blobs.len() < self.max_blobs
    }

    /// Most of what a long copy costs is its fresh pages.
    fn copied_blob(&mut self, tag: u64, bytes: &[u8]) -> Done {
        let mut copy = Vec::with_capacity(bytes.len());
        self.memory.advise(&copy);
        copy.extend_from_slice(bytes);
        self.blob(tag, copy.into())
    }

    pub(super) fn blob(&mut self, tag: u64, bytes: Blob) -> Done {
        self.header(Header::Tag(tag));
        self.header(Header::Positive(self.packed.blobs.len() as u64));
        self.packed.blobs.push(bytes);
        Ok(())
    }

    /// What was packed since the last time is this argument.
    #[cfg(feature = "engines")]
    pub(crate) fn ends_argument(&mut self, name: &'static str) {
        self.packed.attachments.iter_mut().for_each(|attachment| attachment.belongs_to(name));
    }

    /// Appends what [`attach`](attach::attach) has left.
    fn attachment(&mut self) -> Done {
        let attachment = attach::offered().ok_or_else(|| CodecError::new("an open handle is missing"))?;
        let number = self.packed.attachments.len();
        if self.max_attachments == 0 {
            return Err(CodecError::new("an open handle cannot travel with it; pass the handle as an argument"));
        } else if number >= self.max_attachments {
            return Err(CodecError::new(format!("it has more than {} open handles", self.max_attachments)));
        }
        self.header(Header::Tag(tag::HANDLE));
        self.header(Header::Positive(number as u64));
        self.packed.attachments.push(attachment);
        Ok(())
    }

    pub(super) fn header(&mut self, header: Header) {
        // A `Vec` takes all that is written to it. The type of the error depends on the features that other crates
        // enable in `ciborium-io`; the error itself does not exist.
        let _ = Encoder::from(self.out()).push(header);
    }

    fn integer(&mut self, value: i128) {
        if let Ok(positive) = u64::try_from(value) {
            self.header(Header::Positive(positive));
        } else if let Ok(inverted) = u64::try_from(!value) {
            self.header(Header::Negative(inverted));
        } else if value < 0 {
            self.big(tag::BIG_NEGATIVE, !value as u128);
        } else {
            self.big(tag::BIG_POSITIVE, value as u128);
        }
    }

    fn big(&mut self, tag: u64, magnitude: u128) {
        let bytes = magnitude.to_be_bytes();
        let significant = &bytes[magnitude.leading_zeros() as usize / 8..];
        self.header(Header::Tag(tag));
        self.header(Header::Bytes(Some(significant.len())));
        self.packed.items.extend_from_slice(significant);
    }

    fn signed(&mut self, value: i64) {
        self.header(match u64::try_from(value) {
            Ok(positive) => Header::Positive(positive),
            Err(_) => Header::Negative(!value as u64),
        });
    }

    /// Numbers of one byte are most of what small values are made of, and need no general header.
    #[inline]
    fn unsigned(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(small @ ..24) => self.out().push(small),
            Ok(byte) => self.out().extend_from_slice(&[ONE_BYTE, byte]),
            Err(_) => self.positive(value),
        }
    }

    /// As `ciborium-ll` would, in a quarter of the instructions.
    fn positive(&mut self, value: u64) {
        let to = self.out();
        if let Ok(value) = u16::try_from(value) {
            let [a, b] = value.to_be_bytes();
            to.extend_from_slice(&[TWO_BYTES, a, b]);
        } else if let Ok(value) = u32::try_from(value) {
            let [a, b, c, d] = value.to_be_bytes();
            to.extend_from_slice(&[FOUR_BYTES, a, b, c, d]);
        } else {
            let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
            to.extend_from_slice(&[EIGHT_BYTES, a, b, c, d, e, f, g, h]);
        }
    }

    fn float32(&mut self, value: f32) {
        self.float(0xfa, &value.to_bits().to_be_bytes());
    }

    fn float64(&mut self, value: f64) {
        self.float(0xfb, &value.to_bits().to_be_bytes());
    }

    /// Floats keep their width and every bit: `ciborium-ll` would go through `f64` and shorten where it can, which
    /// turns a signalling NaN into a quiet one.
    fn float(&mut self, initial: u8, bits: &[u8]) {
        let to = self.out();
        to.push(initial);
        to.extend_from_slice(bits);
    }

    fn nested(&mut self, content: impl FnOnce(&mut Self) -> Done) -> Done {
        self.guard.enter()?;
        let done = content(self);
        self.guard.leave();
        done
    }

    fn sequence(&mut self, len: Option<usize>) -> Result<Compound<'_>, CodecError> {
        self.guard.enter()?;
        self.begin_list(len);
        Ok(Compound { packer: self, announced: len, count: 0, failed: false })
    }

    fn map(&mut self, len: Option<usize>) -> Result<Compound<'_>, CodecError> {
        self.guard.enter()?;
        self.header(Header::Map(len));
        Ok(Compound { packer: self, announced: len, count: 0, failed: false })
    }
}

/// Numbers go to the run that they continue, and are else items of their own.
macro_rules! small {
    ($($serialize:ident: $type:ty => $plain:ident),*) => {$(
        #[inline]
        fn $serialize(self, value: $type) -> Done {
            if self.run.is_none() || !self.number(value) {
                self.$plain(value.into());
            }
            Ok(())
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Packer {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    /// Serde reads the fields of flattened structs and of tagged enums back in their human-readable form, whatever
    /// the format says. So only this answer lets an `IpAddr` or a `Uuid` in such a place arrive at all.
    fn is_human_readable(&self) -> bool {
        true
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.header(Header::Simple(if value { simple::TRUE } else { simple::FALSE }));
        Ok(())
    }

    small! {
        serialize_i8: i8 => signed,
        serialize_i16: i16 => signed,
        serialize_i32: i32 => signed,
        serialize_i64: i64 => signed,
        serialize_u8: u8 => unsigned,
        serialize_u16: u16 => unsigned,
        serialize_u32: u32 => unsigned,
        serialize_u64: u64 => unsigned,
        serialize_f32: f32 => float32,
        serialize_f64: f64 => float64
    }

    fn serialize_i128(self, value: i128) -> Done {
        self.integer(value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Done {
        match u64::try_from(value) {
            Ok(small) => self.header(Header::Positive(small)),
            Err(_) => self.big(tag::BIG_POSITIVE, value),
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.bytes(value)
    }

    fn serialize_none(self) -> Done {
        self.out().push(NULL);
        Ok(())
    }

    /// `Some(x)` is just `x`, as everywhere in CBOR and JSON, unless `x` itself reads as `None`. Only what has been
    /// written tells (the content may be a newtype around an `Option`, or serialize itself as a unit), so the tag is
    /// put in front afterwards; what it moves is a `null` and some tags.
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        let (start, in_run, mark) = (self.packed.items.len(), self.run.is_some(), self.mark.take());
        self.nested(|packer| value.serialize(packer))?;
        let moved = self.mark;
        self.mark = mark.or(moved);
        if self.run.is_some() {
            // It was a number, and is part of the run.
            return Ok(());
        }
        // What ended the run has moved what is written since.
        let start = moved.filter(|_| in_run).unwrap_or(start);
        let written = &self.packed.items[start..];
        if written.first() == Some(&NULL) || written.starts_with(&SOME_PREFIX) {
            self.packed.items.splice(start..start, SOME_PREFIX);
        }
        Ok(())
    }

    fn serialize_unit(self) -> Done {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Done {
        if attach::is_attachment(name) {
            return self.attachment();
        }
        self.nested(|packer| value.serialize(packer))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.nested(|packer| packer.variant(variant, |packer| value.serialize(packer)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a>, CodecError> {
        self.sequence(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>, CodecError> {
        self.sequence(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, CodecError> {
        self.sequence(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, CodecError> {
        self.header(Header::Map(Some(1)));
        self.text(variant)?;
        self.sequence(Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a>, CodecError> {
        self.map(len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, CodecError> {
        self.map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, CodecError> {
        self.header(Header::Map(Some(1)));
        self.text(variant)?;
        self.map(Some(len))
    }
}
