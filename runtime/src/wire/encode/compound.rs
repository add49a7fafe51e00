//! Lists and records on their way to CBOR: they have as many elements as was announced, or are an error.

use ciborium_ll::Header;
use serde::ser::{self, Serialize};

use super::{Done, Packer};
use crate::wire::CodecError;

/// A sequence or map that is being written.
#[derive(Debug)]
pub struct Compound<'a> {
    pub(super) packer: &'a mut Packer,
    pub(super) announced: Option<usize>,
    pub(super) count: usize,
    /// Whether a part of it could not be written. What there is of that part cannot be taken back.
    pub(super) failed: bool,
}

impl Compound<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.count += 1;
        self.part(value)
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let done = value.serialize(&mut *self.packer);
        self.failed |= done.is_err();
        done
    }

    /// A wrong announcement would make the reader take what follows for elements.
    fn end(self) -> Done {
        if self.failed {
            return Err(CodecError::new("its `Serialize` went on after a part of it could not be written"));
        }
        self.packer.end_list()?;
        match self.announced {
            None => self.packer.header(Header::Break),
            Some(announced) if announced == self.count => {}
            Some(announced) => {
                return Err(CodecError::new(format!(
                    "its `Serialize` announced {announced} elements and wrote {}",
                    self.count
                )));
            }
        }
        self.packer.guard.leave();
        Ok(())
    }
}

/// Serde has a trait for each kind of list, and one for each kind of record; they differ in names only.
macro_rules! lists {
    ($($kind:ident: $element:ident),*) => {$(
        impl ser::$kind for Compound<'_> {
            type Ok = ();
            type Error = CodecError;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.element(value)
            }

            fn end(self) -> Done {
                self.end()
            }
        }
    )*};
}

lists! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

macro_rules! records {
    ($($kind:ident),*) => {$(
        impl ser::$kind for Compound<'_> {
            type Ok = ();
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.element(key)?;
                self.part(value)
            }

            fn end(self) -> Done {
                self.end()
            }
        }
    )*};
}

records!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.end()
    }
}
