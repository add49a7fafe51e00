//! A list whose elements have so far been numbers of one type, on its way out.
//!
//! Serde does not say what the elements of a list are, so each list begins as a run, and becomes a plain sequence where
//! something else turns up. All that is written goes through [`Packer::out`], which sees to that.

#[cfg(test)]
mod tests;

use ciborium_ll::Header;

use super::encode::Packer;
use super::numbers::{Kind, Number, RUN_MIN, Run as Incoming};
use super::{CodecError, tag};

/// The innermost list that is being written, as long as it may be a run.
#[derive(Debug)]
pub(super) enum Run {
    /// Nothing of it is written, not even its header.
    Open { announced: usize },
    Numbers {
        kind: Kind,
        announced: usize,
        /// Where its header is.
        start: usize,
        /// Where its numbers are, behind the header or in a buffer of their own.
        content: Content,
    },
}

#[derive(Debug)]
pub(super) enum Content {
    Inline { start: usize },
    Blob(Vec<u8>),
}

type Done = Result<(), CodecError>;

impl Packer {
    /// Appends a run of numbers.
    pub(crate) fn numbers<N: Number>(&mut self, numbers: &[N]) -> Done
    where
        [N]: serde::Serialize,
    {
        if numbers.len() < RUN_MIN {
            return self.value(numbers);
        }
        let bytes = bytemuck::cast_slice(numbers);
        self.header(Header::Tag(N::KIND.tag()));
        self.bytes(bytes)
    }

    /// Appends a run of numbers, without a copy if it is long.
    pub(crate) fn owned_numbers<N: Number>(&mut self, numbers: Vec<N>) -> Done
    where
        [N]: serde::Serialize,
    {
        if !self.wants_blob(size_of_val(&numbers[..])) {
            return self.numbers(&numbers);
        }
        self.header(Header::Tag(N::KIND.tag()));
        self.blob(tag::BYTES, numbers.into())
    }

    /// Begins a list of so many elements.
    pub(super) fn begin_list(&mut self, announced: Option<usize>) {
        match announced {
            Some(announced @ RUN_MIN..) => {
                self.end_run();
                self.run = Some(Run::Open { announced });
            }
            len => self.header(Header::Array(len)),
        }
    }

    /// Ends a list: what is a run by now stays one.
    pub(super) fn end_list(&mut self) -> Done {
        match self.run.take() {
            None => {}
            Some(Run::Open { announced }) => self.header(Header::Array(Some(announced))),
            Some(Run::Numbers { content: Content::Inline { .. }, .. }) => {}
            Some(Run::Numbers { content: Content::Blob(bytes), kind, .. }) => {
                self.header(Header::Tag(kind.tag()));
                self.blob(tag::BYTES, bytes.into())?;
            }
        }
        Ok(())
    }

    /// Where everything is written that is no number of the current run. Ends that run.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        if self.run.is_some() {
            self.end_run();
        }
        &mut self.packed.items
    }

    /// Adds a number to the current run; `false` if there is none of its kind.
    #[inline]
    pub(super) fn number<N: Number>(&mut self, number: N) -> bool {
        match &mut self.run {
            Some(Run::Numbers { kind, content, .. }) if *kind == N::KIND => {
                let to = match content {
                    Content::Inline { .. } => &mut self.packed.items,
                    Content::Blob(bytes) => bytes,
                };
                to.extend_from_slice(bytemuck::bytes_of(&number));
                true
            }
            Some(Run::Open { announced }) => {
                let announced = *announced;
                self.begin_run(N::KIND, announced) && self.number(number)
            }
            _ => false,
        }
    }

    /// Begins a run with its first number. `false`, and nothing has changed, if there is no room for so many.
    fn begin_run(&mut self, kind: Kind, announced: usize) -> bool {
        let Some(len) = announced.checked_mul(kind.size()) else { return false };
        let start = self.packed.items.len();
        let content = if self.wants_blob(len) {
            let mut bytes = Vec::new();
            if bytes.try_reserve_exact(len).is_err() {
                return false;
            }
            self.memory.advise(&bytes);
            Content::Blob(bytes)
        } else {
            self.run = None;
            self.header(Header::Tag(kind.tag()));
            self.header(Header::Bytes(Some(len)));
            Content::Inline { start: self.packed.items.len() }
        };
        self.run = Some(Run::Numbers { kind, announced, start, content });
        true
    }

    /// Makes a plain sequence of what might have become a run.
    #[cold]
    fn end_run(&mut self) {
        match self.run.take() {
            None => {}
            Some(Run::Open { announced }) => self.header(Header::Array(Some(announced))),
            Some(Run::Numbers { kind, announced, start, content }) => {
                let numbers = match content {
                    Content::Inline { start } => self.packed.items.split_off(start),
                    Content::Blob(bytes) => bytes,
                };
                self.packed.items.truncate(start);
                self.header(Header::Array(Some(announced)));
                self.plain(kind, &numbers);
            }
        }
        self.mark.get_or_insert(self.packed.items.len());
    }

    fn plain(&mut self, kind: Kind, numbers: &[u8]) {
        // They were written by `number`, so there are whole numbers only, and each is one.
        let Ok(mut run) = Incoming::new(kind, false, numbers.into()) else { return };
        while run.len() > 0 {
            let _ = run.visit(Plain(self));
        }
    }
}

/// Writes a number as an item of its own.
struct Plain<'a>(&'a mut Packer);

macro_rules! visits {
    ($($visit:ident: $type:ty => $serialize:ident),*) => {$(
        fn $visit<E>(self, number: $type) -> Result<(), E> {
            let _ = serde::Serializer::$serialize(self.0, number);
            Ok(())
        }
    )*};
}

impl serde::de::Visitor<'_> for Plain<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number")
    }

    visits! {
        visit_u64: u64 => serialize_u64,
        visit_i64: i64 => serialize_i64,
        visit_f32: f32 => serialize_f32,
        visit_f64: f64 => serialize_f64
    }
}
