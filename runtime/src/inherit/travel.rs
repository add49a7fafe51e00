//! All inherited statics at once: into a call, and out of it.

use std::sync::Arc;

use super::global::{Global, RegisteredGlobal};
use crate::error::{Error, ErrorKind, RemoteError};
use crate::link::Piece;
use crate::wire::{BLOB_MIN, GlobalHead, GlobalValue};

/// All of them, in an order that is the same in every process of one build.
fn globals() -> impl Iterator<Item = &'static Global> {
    inventory::iter::<RegisteredGlobal>.into_iter().map(|registered| registered.0)
}

/// The section of a call with the values that they have now.
pub(crate) fn snapshot() -> Result<Vec<Piece>, Error> {
    Ok(section(Values::now()?.0.iter()))
}

fn section<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<Piece> {
    let mut section = Section { count: 0, pieces: Vec::new(), open: vec![0; 4] };
    for Value { index, global, packed } in values {
        let head = GlobalHead { index: *index, position: global.position(), name: global.name() };
        section.add(head, Arc::clone(packed));
    }
    section.finish()
}

/// The values of all of them at one moment, packed.
#[derive(Debug, Default)]
pub(crate) struct Values(Vec<Value>);

#[derive(Debug)]
struct Value {
    index: u32,
    global: &'static Global,
    packed: Arc<Vec<u8>>,
}

impl Value {
    fn differs_from(&self, earlier: &Values) -> bool {
        let before = earlier.0.iter().find(|before| before.index == self.index);
        before.is_none_or(|before| !Arc::ptr_eq(&before.packed, &self.packed) && before.packed != self.packed)
    }

    #[cfg(feature = "engines")]
    fn copy(&self) -> Self {
        Self { index: self.index, global: self.global, packed: Arc::clone(&self.packed) }
    }
}

/// How the values of one moment differ from those of an earlier one.
#[derive(Debug)]
pub(crate) enum Changes {
    None,
    /// The section with those that differ.
    Some(Vec<Piece>),
    /// One that can be set once was set since: it cannot be put in place in a process that may have set it itself.
    ForGood,
}

impl Values {
    /// The values that they have now.
    pub(crate) fn now() -> Result<Self, Error> {
        let mut values = Vec::new();
        for (index, global) in (0..).zip(globals()) {
            if let Some(packed) = global.save().map_err(|error| not_packed(global, error))? {
                values.push(Value { index, global, packed });
            }
        }
        Ok(Self(values))
    }

    /// The section with all of them.
    pub(crate) fn section(&self) -> Vec<Piece> {
        section(self.0.iter())
    }

    /// A section with none.
    pub(crate) fn nothing() -> Vec<Piece> {
        section([].iter())
    }

    /// The section with those that differ from earlier ones, also where a process could not put them in place.
    #[cfg(feature = "engines")]
    pub(crate) fn all_since(&self, earlier: &Self) -> Vec<Piece> {
        section(self.0.iter().filter(|value| value.differs_from(earlier)))
    }

    /// These, and those that have arrived instead of some of them; nothing is put in place.
    #[cfg(feature = "engines")]
    pub(crate) fn with(&self, arrived: &[GlobalValue<'_>]) -> Result<Self, Error> {
        let mut values: Vec<Value> = self.0.iter().map(Value::copy).collect();
        for (head, packed) in arrived {
            let at_index = globals().nth(head.index as usize).filter(|global| global.is(head.name, head.position));
            let unknown =
                || not_restored(head.name, RemoteError::msg("the program has no static of this name, or several"));
            let global = at_index.or_else(|| find(head)).ok_or_else(unknown)?;
            let value = Value { index: head.index, global, packed: Arc::new(packed.to_vec()) };
            match values.iter_mut().find(|old| old.index == value.index) {
                Some(old) => *old = value,
                None => values.push(value),
            }
        }
        values.sort_by_key(|value| value.index);
        Ok(Self(values))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && matches!(self.changes_since(other), Changes::None)
    }

    pub(crate) fn changes_since(&self, earlier: &Self) -> Changes {
        let changed: Vec<&Value> = self.0.iter().filter(|value| value.differs_from(earlier)).collect();
        if changed.is_empty() {
            Changes::None
        } else if changed.iter().any(|value| value.global.is_for_good()) {
            Changes::ForGood
        } else {
            Changes::Some(section(changed.into_iter()))
        }
    }
}

/// The section while it is made: small values are joined, and great ones stay where they are.
struct Section {
    count: u32,
    pieces: Vec<Piece>,
    open: Vec<u8>,
}

impl Section {
    fn add(&mut self, head: GlobalHead<'_>, value: Arc<Vec<u8>>) {
        self.count += 1;
        head.encode(value.len(), &mut self.open);
        if value.len() < BLOB_MIN {
            self.open.extend_from_slice(&value);
        } else {
            self.pieces.push(Piece::Owned(std::mem::take(&mut self.open)));
            self.pieces.push(Piece::Shared(value));
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.pieces.push(Piece::Owned(self.open));
        if let Some(Piece::Owned(first)) = self.pieces.first_mut() {
            first[..4].copy_from_slice(&self.count.to_le_bytes());
        }
        self.pieces
    }
}

/// Puts the values of a call in place and gives what follows them: the arguments.
pub(crate) fn restore(bytes: &[u8]) -> Result<&[u8], Error> {
    let (values, rest) = split(bytes).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the call cannot be read: its section of inherited statics is damaged")
    })?;
    restore_values(values).map(|()| rest)
}

/// The values of a section that has arrived, and what follows them.
pub(crate) fn split(bytes: &[u8]) -> Option<(Vec<GlobalValue<'_>>, &[u8])> {
    GlobalHead::decode_all(bytes)
}

/// Puts values in place.
pub(crate) fn restore_values(values: Vec<GlobalValue<'_>>) -> Result<(), Error> {
    let mut following = (0..).zip(globals());
    for (head, packed) in values {
        // Both sides go through them in the same order, so the next of this index is the one, and nothing is searched.
        let next = following.find(|&(index, _)| index == head.index).map(|(_, global)| global);
        let global = next.filter(|global| global.is(head.name, head.position)).or_else(|| find(&head));
        global
            .ok_or_else(|| RemoteError::msg("the child's program has no static of this name, or several"))
            .and_then(|global| global.restore(packed))
            .map_err(|error| not_restored(head.name, error))?;
    }
    Ok(())
}

/// The only one that it can be.
fn find(head: &GlobalHead<'_>) -> Option<&'static Global> {
    let mut found = globals().filter(|global| global.is(head.name, head.position));
    found.next().filter(|_| found.next().is_none())
}

fn not_packed(global: &Global, error: RemoteError) -> Error {
    let message = format!("the inherited static `{}` cannot be packed: {error}; nothing was started", global.name());
    Error::new(ErrorKind::Encode, message).with_source(error)
}

fn not_restored(name: &str, error: RemoteError) -> Error {
    let message = format!(
        "the inherited static `{name}` cannot be put in place in the child process, and its entry has not run: {error}"
    );
    Error::new(ErrorKind::Decode, message).with_source(error)
}
