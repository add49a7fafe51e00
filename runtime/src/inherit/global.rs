//! An inherited static as data, and how its value is taken out and put back.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::{Inherit, Inheritable};
use crate::error::RemoteError;
use crate::link;
use crate::portable::SpawnSafe;

/// A static with `#[inherit]`.
pub struct Global {
    name: &'static str,
    file: &'static str,
    line: u32,
    column: u32,
    access: fn(Access<'_>) -> Accessed,
    /// The packed value of a static that will not change any more.
    kept: OnceLock<Arc<Vec<u8>>>,
}

/// What `inventory` collects.
#[derive(Debug)]
pub struct RegisteredGlobal(pub &'static Global);

inventory::collect!(RegisteredGlobal);

/// What is to be done with a static: one function for both, as each would be one more place with an obligation.
#[derive(Debug)]
pub struct Access<'a>(pub(super) Direction<'a>);

/// How it went.
pub type Accessed = Result<(), RemoteError>;

#[derive(Debug)]
pub(super) enum Direction<'a> {
    Save(&'a mut Saved),
    Restore(&'a [u8]),
}

/// A value that is being taken.
#[derive(Debug, Default)]
pub(super) struct Saved {
    packed: Option<Vec<u8>>,
    for_good: bool,
}

/// Takes the value of an [`Inheritable`], once, by reference. If it is dropped unused, no value travels.
pub struct Snapshot<'a, V> {
    saved: &'a mut Saved,
    value: PhantomData<fn(&V)>,
}

impl<V: SpawnSafe> Snapshot<'_, V> {
    /// Packs the value that a child is to have.
    ///
    /// # Errors
    /// If it cannot be packed: its `Serialize` has failed.
    pub fn take(self, value: &V) -> Result<(), RemoteError> {
        let mut packer = link::packer().items_only();
        value.__pack_ref(&mut packer)?;
        self.saved.packed = Some(packer.finish().items);
        Ok(())
    }

    /// Packs a value that will never be another one: children that are started later get the same bytes, and
    /// [`Inheritable::snapshot`] is not called again in this process.
    ///
    /// # Errors
    /// If it cannot be packed: its `Serialize` has failed.
    pub fn take_for_good(self, value: &V) -> Result<(), RemoteError> {
        self.saved.for_good = true;
        self.take(value)
    }
}

impl Global {
    /// Describes a static; called by `#[inherit]` only.
    #[must_use]
    pub const fn new(
        name: &'static str,
        (file, line, column): (&'static str, u32, u32),
        access: fn(Access<'_>) -> Accessed,
    ) -> Self {
        Self { name, file, line, column, access, kept: OnceLock::new() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn position(&self) -> (u32, u32) {
        (self.line, self.column)
    }

    pub(super) fn is(&self, name: &str, position: (u32, u32)) -> bool {
        self.position() == position && self.name == name
    }

    /// The packed value; `None` if there is none to travel.
    pub(super) fn save(&self) -> Result<Option<Arc<Vec<u8>>>, RemoteError> {
        if let Some(kept) = self.kept.get() {
            return Ok(Some(Arc::clone(kept)));
        }
        let mut saved = Saved::default();
        (self.access)(Access(Direction::Save(&mut saved)))?;
        let packed = saved.packed.map(Arc::new);
        if let (Some(packed), true) = (&packed, saved.for_good) {
            // Another thread may have packed the same at the same time.
            let _ = self.kept.set(Arc::clone(packed));
        }
        Ok(packed)
    }

    /// Whether its value will never be another one.
    pub(super) fn is_for_good(&self) -> bool {
        self.kept.get().is_some()
    }

    /// Puts a packed value in place.
    pub(super) fn restore(&self, packed: &[u8]) -> Result<(), RemoteError> {
        (self.access)(Access(Direction::Restore(packed)))
    }
}

/// Does with a static what is to be done. The only place that demands something of its type.
pub fn access<C: Inheritable>(global: &Inherit<C>, Access(direction): Access<'_>) -> Accessed {
    match direction {
        Direction::Save(saved) => global.snapshot(saved.snapshot()),
        Direction::Restore(packed) => global.restore(unpack(packed)?),
    }
}

pub(super) fn unpack<T: SpawnSafe>(packed: &[u8]) -> Result<T, RemoteError> {
    let mut unpacker = link::unpacker(packed, Vec::new());
    let value = T::__unpack(&mut unpacker)?;
    unpacker.finish()?;
    Ok(value)
}

impl Saved {
    pub(super) fn snapshot<V>(&mut self) -> Snapshot<'_, V> {
        Snapshot { saved: self, value: PhantomData }
    }
}

impl fmt::Debug for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at {}:{}:{}", self.name, self.file, self.line, self.column)
    }
}

impl<V> fmt::Debug for Snapshot<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}
