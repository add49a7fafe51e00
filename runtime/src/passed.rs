//! What is open in this process, on its way to another one.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

use crate::link;
use crate::portable::SpawnSafe;
use crate::sys::HandleSafe;
use crate::wire::{CodecError, Packer};

/// An open file, socket or pipe that travels: the other process gets it open.
///
/// It may be an argument or a result, or stand inside one, also in a type of your own, and goes in both directions. The
/// other process has its own copy of the handle; both refer to the same open file, with one position, or to the same
/// socket. `Handle` dereferences to what it holds.
///
/// ```
/// use std::io::{Read as _, Seek as _, Write as _};
/// use std::fs::File;
/// use spawnsafe::{Handle, child_entry};
///
/// #[child_entry]
/// fn append(mut file: Handle<File>, line: &str) -> std::result::Result<Handle<File>, spawnsafe::RemoteError> {
///     writeln!(file, "{line}")?;
///     Ok(file)
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("spawnsafe-{}.txt", std::process::id()));
/// let file = File::options().create(true).read(true).write(true).open(&path)?;
/// # std::fs::remove_file(&path)?;
/// let mut file = append::run(Handle::new(file), "from the child")??.into_inner();
/// file.rewind()?;
/// let mut text = String::new();
/// file.read_to_string(&mut text)?;
/// assert_eq!(text, "from the child\n");
/// # Ok(()) }
/// ```
///
/// # When it closes here
/// An argument `Handle<T>` is given up: it is closed in this process as soon as it is sent (a socket on Windows: as soon as the
/// other process has it), and also if the call is dropped or fails. With the argument `&Handle<T>` this process keeps it. A task of a pool that may be
/// [run again](crate::PoolBuilder::retries) keeps a copy until it has ended.
///
/// # Limits
/// A value carries at most 4048 handles. Each counts against the limit of open files (`ulimit -n`) of both processes, and
/// on Linux those on their way count against it as well. A message that brings more than its receiver may have open is an
/// [`ErrorKind::Decode`](crate::ErrorKind::Decode), and harms nothing else.
///
/// On Windows the parent is the one that has rights over the other process: it puts handles into its child and fetches
/// them from there. What is sent to a child that never reads it stays open there until the child ends. A socket is open in
/// both processes only once the receiver has asked the sender for it, whose thread for that answers at once. If that process
/// has ended, or is stopped for longer than 30 seconds, it is lost, which is an error of its value (so it is where it has no
/// right to give handles to the receiver, as a child with a restricted token may not have over its parent). Until then the
/// value has not come yet, to whoever does not wait or not for so long. And [`detach`](crate::Child::detach) waits until the
/// child has the sockets that it was sent.
///
/// On Windows the description of a socket is believed: a process that is sent sockets trusts whoever sends them. Do not
/// take sockets from untrusted code there.
///
/// # What it does not carry
/// What the handle is in this process besides: a `BufReader`'s buffer, the registration with an event loop, a lock that the
/// process holds ([`File::lock`](std::fs::File::lock) belongs to the open file and does travel). Outside of this library
/// there is no way to write one: `serde_json` and others give an error.
pub struct Handle<T>(T);

impl<T: HandleSafe> Handle<T> {
    /// Makes it ready to travel.
    pub fn new(open: T) -> Self {
        Self(open)
    }
}

impl<T> Handle<T> {
    /// What it holds.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: HandleSafe> From<T> for Handle<T> {
    fn from(open: T) -> Self {
        Self(open)
    }
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Handle<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0).finish()
    }
}

impl<T: HandleSafe> SpawnSafe for Handle<T> {
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError> {
        packer.value(&GivenUp(Cell::new(Some(self))))
    }

    fn __pack_owned_run(run: Vec<Self>, packer: &mut Packer) -> Result<(), CodecError> {
        let run: Vec<GivenUp<T>> = run.into_iter().map(|handle| GivenUp(Cell::new(Some(handle)))).collect();
        packer.value(&run)
    }
}

/// One that this process does not keep, so that it need not be duplicated.
struct GivenUp<T>(Cell<Option<Handle<T>>>);

impl<T: HandleSafe> Serialize for GivenUp<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Handle(open) = self.0.take().ok_or_else(|| ser::Error::custom("a handle was given up twice"))?;
        let handle = open.__into_handle().map_err(ser::Error::custom)?;
        link::attach(Arc::new(handle), serializer)
    }
}

impl<T: HandleSafe> Serialize for Handle<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let copy = self.0.__duplicate();
        let copy = copy.map_err(|error| ser::Error::custom(format_args!("it cannot be duplicated: {error}")))?;
        link::attach(Arc::new(copy), serializer)
    }
}

impl<'de, T: HandleSafe> Deserialize<'de> for Handle<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::__from_handle(link::claim(deserializer)?).map(Handle).map_err(de::Error::custom)
    }
}
