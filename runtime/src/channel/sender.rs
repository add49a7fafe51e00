//! The end that sends.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::leaving::Leaving;
use super::{End, Until, texts};
use crate::error::{Error, ErrorKind};
use crate::link;
use crate::portable::SpawnSafe;
use crate::wire::{Arrived, Packed};

/// The end of a [`channel`](fn@crate::channel) that sends; clones of it, in any process, send into the same channel.
///
/// Values are packed when they are sent, as arguments are. Those of one sender arrive in the order in which it has sent
/// them. The channel is open as long as one sender is, in whichever process: a process that keeps one, and receives until
/// the channel is closed, waits for itself.
pub struct Sender<T> {
    end: End,
    message: PhantomData<fn(T)>,
}

impl<T: SpawnSafe> Sender<T> {
    /// Sends a value, and waits until there is room for it.
    ///
    /// # Errors
    /// The value was not sent, and is in the [`SendError`]: [`Closed`](ErrorKind::Closed), also while waiting, if nobody
    /// is left who could receive it; [`Encode`](ErrorKind::Encode) if it cannot be packed or is too long, and
    /// [`System`](ErrorKind::System) if the system refuses, say because it is out of descriptors.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_until(value, Until::Forever)
    }

    /// Sends a value if there is room for it now.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`TimedOut`](ErrorKind::TimedOut) if there is no room.
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_until(value, Until::Now)
    }

    /// Sends a value, and waits until there is room for it, but no longer than this.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`TimedOut`](ErrorKind::TimedOut) if there was no room within that time.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_until(value, Until::after(timeout))
    }

    fn send_until(&self, value: T, until: Until) -> Result<(), SendError<T>> {
        let packed = pack(value)?;
        let sent = Leaving::new(&packed, self.end.max_message).and_then(|mut leaving| leaving.send(&self.end, until));
        sent.map_err(|error| SendError::of_packed(error, packed))
    }
}

impl<T> Sender<T> {
    pub(super) fn new(end: End) -> Self {
        Self { end, message: PhantomData }
    }

    #[cfg(any(test, feature = "tokio"))]
    pub(super) fn end(&self) -> &End {
        &self.end
    }

    /// For sending within a tokio runtime, where waiting for room must not block a thread.
    ///
    /// # Errors
    /// [`System`](ErrorKind::System), outside of a runtime, or if the process is out of descriptors.
    ///
    /// # Panics
    /// As everything in tokio that does I/O, within a runtime whose I/O is not enabled.
    #[cfg(feature = "tokio")]
    pub fn into_async(self) -> Result<super::AsyncSender<T>, Error> {
        super::AsyncSender::new(self)
    }
}

/// Packs a message.
pub(super) fn pack<T: SpawnSafe>(value: T) -> Result<Packed, SendError<T>> {
    let mut packer = link::packer();
    match value.__pack(&mut packer) {
        Ok(()) => Ok(packer.finish()),
        Err(error) => Err(SendError { error: texts::not_packed(&error), value: None }),
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self::new(self.end.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender { .. }")
    }
}

impl<T> Serialize for Sender<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.end.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Sender<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self::new)
    }
}

impl<T: SpawnSafe> SpawnSafe for Sender<T> {}

/// Why a value was not sent, with the value.
///
/// It becomes an [`Error`] with `?`.
pub struct SendError<T> {
    error: Error,
    value: Option<T>,
}

impl<T> SendError<T> {
    /// Which kind of failure this is: see [`Sender::send`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// The value that was not sent; `None` for one that cannot be packed.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        self.value
    }
}

impl<T: SpawnSafe> SendError<T> {
    /// The value was given up for being packed, and is unpacked again.
    pub(super) fn of_packed(error: Error, packed: Packed) -> Self {
        let Packed { items, blobs, attachments } = packed;
        let blobs = blobs.into_iter().map(|blob| blob.to_vec()).collect();
        let attachments: Vec<Arrived> = attachments.into_iter().map(Some).collect();
        let mut unpacker = link::unpacker(&items, blobs).with_attachments(attachments);
        let value = T::__unpack(&mut unpacker).ok();
        Self { error, value }
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(error: SendError<T>) -> Self {
        error.error
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> std::error::Error for SendError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
