//! All inherited statics at once: into a call, and out of it.

use std::sync::Arc;

use super::global::{Global, RegisteredGlobal};
use crate::error::{Error, ErrorKind, RemoteError};
use crate::link::Piece;
use crate::wire::{BLOB_MIN, GlobalHead};

/// All of them, in an order that is the same in every process of one build.
fn globals() -> impl Iterator<Item = &'static Global> {
    inventory::iter::<RegisteredGlobal>.into_iter().map(|registered| registered.0)
}

/// The section of a call with the values that they have now.
pub(crate) fn snapshot() -> Result<Vec<Piece>, Error> {
    let mut section = Section { count: 0, pieces: Vec::new(), open: vec![0; 4] };
    for (index, global) in (0..).zip(globals()) {
        if let Some(value) = global.save().map_err(|error| not_packed(global, error))? {
            section.add(GlobalHead { index, position: global.position(), name: global.name() }, value);
        }
    }
    Ok(section.finish())
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
    let (values, rest) = GlobalHead::decode_all(bytes).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the call cannot be read: its section of inherited statics is damaged")
    })?;
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
    Ok(rest)
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
