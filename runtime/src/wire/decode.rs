//! From CBOR to serde's data model.

use std::borrow::Cow;

use ciborium_ll::{Decoder, Header, simple};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Unexpected, Visitor};

use super::encode::{EIGHT_BYTES, FOUR_BYTES, ONE_BYTE, SOME_PREFIX, TWO_BYTES};
use super::numbers::{self, Kind, Number, Run};
use super::stack::StackGuard;
use super::{Arrived, Attachment, CodecError, Memory, attach, tag};

/// Unpacks values, one after another, from a frame's content.
#[derive(Debug)]
pub struct Unpacker<'de> {
    items: &'de [u8],
    blobs: Vec<Option<Vec<u8>>>,
    attachments: Vec<Option<Arrived>>,
    /// Those that serde keeps in a buffer.
    kept: Vec<attach::Place>,
    /// The numbers that are the elements of the list that is being read.
    run: Option<Run<'de>>,
    memory: Memory,
    guard: StackGuard,
}

type Res<T> = Result<T, CodecError>;

impl<'de> Unpacker<'de> {
    #[inline]
    pub(crate) fn new(items: &'de [u8], blobs: Vec<Vec<u8>>, memory: Memory) -> Self {
        let guard = StackGuard::new(memory.stack_end);
        // Most have none.
        let blobs = if blobs.is_empty() { Vec::new() } else { blobs.into_iter().map(Some).collect() };
        Self { items, blobs, attachments: Vec::new(), kept: Vec::new(), run: None, memory, guard }
    }

    /// With what has arrived beside the bytes.
    #[inline]
    pub(crate) fn with_attachments(mut self, attachments: Vec<Arrived>) -> Self {
        // Most have none.
        if !attachments.is_empty() {
            self.attachments = attachments.into_iter().map(Some).collect();
        }
        self
    }

    /// Takes the next value.
    pub fn value<T: DeserializeOwned>(&mut self) -> Res<T> {
        T::deserialize(self)
    }

    /// Takes the next value, which is a byte string, without a copy if it is long.
    pub fn owned_bytes(&mut self) -> Res<Vec<u8>> {
        self.bytes().map(Cow::into_owned)
    }

    /// Takes the next value, which is a list of numbers.
    pub(crate) fn numbers<N: Number + DeserializeOwned>(&mut self) -> Res<Vec<N>> {
        let before = self.items;
        let swapped = match self.header()? {
            Header::Tag(tag) => Kind::of_tag(tag).filter(|&(kind, _)| kind == N::KIND).map(|(_, swapped)| swapped),
            _ => None,
        };
        let Some(swapped) = swapped else {
            self.items = before;
            return self.value();
        };
        let bytes = self.bytes()?;
        numbers::check_len(N::KIND, bytes.len())?;
        let mut numbers = bytemuck::allocation::try_zeroed_vec::<N>(bytes.len() / size_of::<N>())
            .map_err(|()| CodecError::new(format!("there is no memory for {} bytes of numbers", bytes.len())))?;
        self.memory.advise(&numbers);
        bytemuck::cast_slice_mut(&mut numbers).copy_from_slice(&bytes);
        if swapped {
            numbers.iter_mut().for_each(|number| *number = number.swapped());
        }
        Ok(numbers)
    }

    fn bytes(&mut self) -> Res<Cow<'de, [u8]>> {
        match self.header()? {
            Header::Bytes(Some(len)) => self.take(len).map(Cow::Borrowed),
            Header::Tag(tag::BYTES) => self.blob().map(Cow::Owned),
            header => Err(unexpected(header, &"a byte string")),
        }
    }

    /// Takes the header of an enum with content, and the name of its variant.
    pub fn variant(&mut self) -> Res<&'de str> {
        match self.header()? {
            Header::Map(Some(1)) => {}
            header => return Err(unexpected(header, &"an enum with one variant")),
        }
        match self.header()? {
            Header::Text(Some(len)) => self.text(len),
            header => Err(unexpected(header, &"the name of a variant")),
        }
    }

    /// Checks that nothing is left over. Handles that no value has claimed are closed now, and not only when whatever
    /// comes next is over.
    #[inline]
    pub fn finish(&mut self) -> Res<()> {
        if !self.attachments.is_empty() {
            self.attachments.clear();
            self.kept.clear();
        }
        if self.items.is_empty() && self.blobs.is_empty() { Ok(()) } else { self.left_over() }
    }

    #[inline(never)]
    fn left_over(&self) -> Res<()> {
        match self.items.len() {
            0 => match self.blobs.iter().flatten().count() {
                0 => Ok(()),
                left => Err(CodecError::new(format!("there are blobs that nothing refers to: {left}"))),
            },
            1 => Err(CodecError::new("there is one byte too many")),
            left => Err(CodecError::new(format!("there are {left} bytes too many"))),
        }
    }

    fn header(&mut self) -> Res<Header> {
        Decoder::from(&mut self.items).pull().map_err(|error| match error {
            ciborium_ll::Error::Io(_) => ended(),
            ciborium_ll::Error::Syntax(_) => CodecError::new("this is not well-formed CBOR"),
        })
    }

    fn take(&mut self, len: usize) -> Res<&'de [u8]> {
        let (head, rest) = self.items.split_at_checked(len).ok_or_else(ended)?;
        self.items = rest;
        Ok(head)
    }

    fn text(&mut self, len: usize) -> Res<&'de str> {
        std::str::from_utf8(self.take(len)?).map_err(|_| CodecError::new("a text is not valid UTF-8"))
    }

    /// Takes the blob whose number follows.
    fn blob(&mut self) -> Res<Vec<u8>> {
        let Header::Positive(number) = self.header()? else {
            return Err(CodecError::new("the number of a blob is missing"));
        };
        usize::try_from(number)
            .ok()
            .and_then(|number| self.blobs.get_mut(number)?.take())
            .ok_or_else(|| CodecError::new(format!("blob {number} is missing, or referred to twice")))
    }

    /// Takes the attachment whose number follows.
    fn attachment(&mut self) -> Res<Attachment> {
        let Header::Positive(number) = self.header()? else {
            return Err(CodecError::new("the number of an open handle is missing"));
        };
        let arrived = usize::try_from(number).ok().and_then(|number| self.attachments.get_mut(number)?.take());
        match arrived {
            Some(Some(attachment)) => Ok(attachment),
            Some(None) => Err(CodecError::new(
                "an open handle of it was lost on the way: this process may not have more of them (`ulimit -n`), or on Windows its \
                 sender has ended",
            )),
            None => Err(CodecError::new(format!("open handle {number} is missing, or referred to twice"))),
        }
    }

    fn big(&mut self) -> Res<u128> {
        let Header::Bytes(Some(len)) = self.header()? else {
            return Err(CodecError::new("a big integer is not a byte string"));
        };
        let bytes = self.take(len)?;
        let mut padded = [0; 16];
        let start = padded.len().checked_sub(bytes.len());
        let start = start.ok_or_else(|| CodecError::new("an integer has more than 128 bits"))?;
        padded[start..].copy_from_slice(bytes);
        Ok(u128::from_be_bytes(padded))
    }

    fn skip_prefix(&mut self, prefix: &[u8]) -> bool {
        match self.items.strip_prefix(prefix) {
            Some(rest) => {
                self.items = rest;
                true
            }
            None => false,
        }
    }

    fn nested<T>(&mut self, content: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        self.guard.enter()?;
        let value = content(self);
        self.guard.leave();
        value
    }

    /// Reads the elements of an array, and then what the visitor has left of them: nothing, or it is an error.
    fn array<V: Visitor<'de>>(&mut self, len: Option<usize>, visitor: V) -> Res<V::Value> {
        self.nested(|unpacker| {
            let mut elements = Elements { unpacker, left: len };
            let value = visitor.visit_seq(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }

    /// Reads the elements of a run, for each of which `deserialize_any` then takes a number.
    fn run<V: Visitor<'de>>(&mut self, kind: Kind, swapped: bool, visitor: V) -> Res<V::Value> {
        let run = Run::new(kind, swapped, self.bytes()?)?;
        let len = run.len();
        self.run = Some(run);
        let value = self.array(Some(len), visitor);
        self.run = None;
        value
    }

    fn map<V: Visitor<'de>>(&mut self, len: Option<usize>, visitor: V) -> Res<V::Value> {
        self.nested(|unpacker| {
            let mut elements = Elements { unpacker, left: len };
            let value = visitor.visit_map(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }
}

fn ended() -> CodecError {
    CodecError::new("the bytes end in the middle of a value")
}

fn unexpected(header: Header, expected: &dyn de::Expected) -> CodecError {
    let found = match header {
        Header::Positive(value) => Unexpected::Unsigned(value),
        Header::Negative(inverted) => {
            i64::try_from(inverted).map_or(Unexpected::Other("integer"), |inverted| Unexpected::Signed(!inverted))
        }
        Header::Float(value) => Unexpected::Float(value),
        Header::Simple(simple::FALSE) => Unexpected::Bool(false),
        Header::Simple(simple::TRUE) => Unexpected::Bool(true),
        Header::Simple(simple::NULL) => Unexpected::Unit,
        Header::Simple(_) => Unexpected::Other("simple value"),
        Header::Tag(_) => Unexpected::Other("unknown tag"),
        Header::Break => Unexpected::Other("end of a sequence"),
        Header::Bytes(_) => Unexpected::Other("byte string"),
        Header::Text(_) => Unexpected::Other("text"),
        Header::Array(_) => Unexpected::Seq,
        Header::Map(_) => Unexpected::Map,
    };
    de::Error::invalid_type(found, expected)
}

/// The first byte of a `null`, of the two widths of floats that are written, and of the end of a sequence.
const NULL: u8 = 0xf6;
const F32: u8 = 0xfa;
const F64: u8 = 0xfb;
const BREAK: u8 = 0xff;

impl<'de> de::Deserializer<'de> for &mut Unpacker<'de> {
    type Error = CodecError;

    /// As the serializer says, and for its reason.
    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        if let Some(run) = &mut self.run {
            return run.visit(visitor);
        }
        // Numbers are frequent. Floats are taken as bits: `ciborium-ll` would go through `f64`, which changes a
        // signalling NaN.
        match *self.items {
            [small @ ..24, ..] => {
                self.items = &self.items[1..];
                return visitor.visit_u64(small.into());
            }
            [ONE_BYTE, byte, ..] => {
                self.items = &self.items[2..];
                return visitor.visit_u64(byte.into());
            }
            [TWO_BYTES, a, b, ..] => {
                self.items = &self.items[3..];
                return visitor.visit_u64(u16::from_be_bytes([a, b]).into());
            }
            [FOUR_BYTES, a, b, c, d, ..] => {
                self.items = &self.items[5..];
                return visitor.visit_u64(u32::from_be_bytes([a, b, c, d]).into());
            }
            [EIGHT_BYTES, a, b, c, d, e, f, g, h, ..] => {
                self.items = &self.items[9..];
                return visitor.visit_u64(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
            }
            [F32, a, b, c, d, ..] => {
                self.items = &self.items[5..];
                return visitor.visit_f32(f32::from_bits(u32::from_be_bytes([a, b, c, d])));
            }
            [F64, a, b, c, d, e, f, g, h, ..] => {
                self.items = &self.items[9..];
                return visitor.visit_f64(f64::from_bits(u64::from_be_bytes([a, b, c, d, e, f, g, h])));
            }
            _ => {}
        }
        match self.header()? {
            Header::Positive(value) => visitor.visit_u64(value),
            Header::Negative(inverted) => match i64::try_from(inverted) {
                Ok(inverted) => visitor.visit_i64(!inverted),
                Err(_) => visitor.visit_i128(!i128::from(inverted)),
            },
            Header::Float(value) => visitor.visit_f64(value),
            Header::Simple(simple::FALSE) => visitor.visit_bool(false),
            Header::Simple(simple::TRUE) => visitor.visit_bool(true),
            // Serde's buffer for untagged and flattened types takes a unit for a `None` too, but not the reverse.
            Header::Simple(simple::NULL) => visitor.visit_unit(),
            Header::Bytes(Some(len)) => visitor.visit_borrowed_bytes(self.take(len)?),
            Header::Text(Some(len)) => visitor.visit_borrowed_str(self.text(len)?),
            Header::Array(len) => self.array(len, visitor),
            Header::Map(len) => self.map(len, visitor),
            Header::Tag(tag::SOME) => self.nested(|unpacker| visitor.visit_some(unpacker)),
            Header::Tag(tag::BYTES) => visitor.visit_byte_buf(self.blob()?),
            Header::Tag(tag::TEXT) => visitor.visit_string(
                String::from_utf8(self.blob()?).map_err(|_| CodecError::new("a text is not valid UTF-8"))?,
            ),
            Header::Tag(tag::HANDLE) => {
                // Whoever asks so puts it into a buffer, or wants something else.
                let place = attach::Place::on(self.attachment()?);
                let shown = place.show(visitor);
                self.kept.push(place);
                shown
            }
            Header::Tag(tag::BIG_POSITIVE) => visitor.visit_u128(self.big()?),
            Header::Tag(tag::BIG_NEGATIVE) => match i128::try_from(self.big()?) {
                Ok(inverted) => visitor.visit_i128(!inverted),
                Err(_) => Err(CodecError::new("an integer has more than 128 bits")),
            },
            Header::Tag(tag) => match Kind::of_tag(tag) {
                Some((kind, swapped)) => self.run(kind, swapped, visitor),
                None => Err(unexpected(Header::Tag(tag), &visitor)),
            },
            header => Err(unexpected(header, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        // In a run there are numbers only.
        if self.run.is_none() {
            if self.skip_prefix(&[NULL]) {
                return visitor.visit_none();
            }
            self.skip_prefix(&SOME_PREFIX);
        }
        self.nested(|unpacker| visitor.visit_some(unpacker))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Res<V::Value> {
        if attach::is_attachment(name) {
            if let Some(run) = &mut self.run {
                return run.visit(visitor);
            }
            return match self.header()? {
                Header::Tag(tag::HANDLE) => attach::Place::once(self.attachment()?).show(visitor),
                header => Err(unexpected(header, &visitor)),
            };
        }
        self.nested(|unpacker| visitor.visit_newtype_struct(unpacker))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Res<V::Value> {
        if let Some(run) = &mut self.run {
            return run.visit(visitor);
        }
        match self.header()? {
            Header::Text(Some(len)) => visitor.visit_enum(de::value::BorrowedStrDeserializer::new(self.text(len)?)),
            Header::Map(Some(1)) => self.nested(|unpacker| visitor.visit_enum(Variant(unpacker))),
            header => Err(unexpected(header, &"an enum")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The rest of a sequence or map; `None` where an end mark closes it.
struct Elements<'a, 'de> {
    unpacker: &'a mut Unpacker<'de>,
    left: Option<usize>,
}

impl Elements<'_, '_> {
    /// Whether another element follows; counts it, or takes the end mark.
    fn advance(&mut self) -> bool {
        match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None if self.unpacker.skip_prefix(&[BREAK]) => {
                self.left = Some(0);
                false
            }
            None => true,
        }
    }

    fn end(mut self) -> Res<()> {
        if self.advance() { Err(CodecError::new("a sequence or map has more elements than its type")) } else { Ok(()) }
    }

    /// Every element has at least a byte, so a length beyond that is a lie that nobody should allocate for.
    fn hint(&self) -> Option<usize> {
        let present = self.unpacker.run.as_ref().map_or(self.unpacker.items.len(), Run::len);
        self.left.map(|left| left.min(present))
    }
}

impl<'de> de::SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = CodecError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Res<Option<T::Value>> {
        if !self.advance() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.unpacker).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> de::MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Res<Option<K::Value>> {
        if !self.advance() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.unpacker).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Res<T::Value> {
        seed.deserialize(&mut *self.unpacker)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

/// An enum with content, after the header of its map.
struct Variant<'a, 'de>(&'a mut Unpacker<'de>);

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Res<(T::Value, Self)> {
        let name = seed.deserialize(&mut *self.0)?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Res<()> {
        de::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Res<T::Value> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Res<V::Value> {
        de::Deserializer::deserialize_tuple(self.0, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Res<V::Value> {
        de::Deserializer::deserialize_struct(self.0, "", fields, visitor)
    }
}
