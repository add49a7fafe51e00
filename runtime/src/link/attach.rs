//! Open handles in values: what the `Serialize` and `Deserialize` of a type that owns one call.
//!
//! This works for every type that travels through a connection of this library, wherever it stands in a value. In any
//! other serializer or deserializer it is an error that says so.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserializer, Serializer, de};

use crate::sys::OwnedHandle;
use crate::wire::{self, Attachment};

/// Writes a handle. It stays open here at least until it is sent, and is closed then if nobody else holds it.
pub(crate) fn attach<S: Serializer>(handle: Arc<OwnedHandle>, to: S) -> Result<S::Ok, S::Error> {
    wire::attach(Attachment::new(handle), to)
}

/// Reads a handle.
pub(crate) fn claim<'de, D: Deserializer<'de>>(from: D) -> Result<OwnedHandle, D::Error> {
    let handle = wire::claim(from)?.into_inner::<OwnedHandle>().ok_or_else(|| de::Error::custom("it is no handle"))?;
    // Serde may read it again: see `wire::claim`.
    Arc::try_unwrap(handle).or_else(|shared| {
        shared.try_clone().map_err(|error| de::Error::custom(format_args!("its handle cannot be duplicated: {error}")))
    })
}
