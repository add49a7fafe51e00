//! The end that receives.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::arriving::{self, Message, Scratch};
use super::{End, Until, texts};
use crate::error::{Error, ErrorKind};
use crate::link;
use crate::portable::SpawnSafe;

/// The end of a [`channel`](fn@crate::channel) that receives.
///
/// It can be cloned, and a clone can be given to another process: each message goes to one of them, whichever is first.
/// The channel is open for senders as long as one receiver is, in whichever process.
///
/// Iterating over it gives message after message, and ends when the channel is closed:
///
/// ```
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let (sender, receiver) = spawnsafe::channel::<u32>()?;
/// sender.send(1)?;
/// sender.send(2)?;
/// drop(sender);
/// let mut sum = 0;
/// for number in &receiver {
///     sum += number?;
/// }
/// assert_eq!(sum, 3);
/// # Ok(()) }
/// ```
pub struct Receiver<T> {
    end: End,
    scratch: Scratch,
    message: PhantomData<fn() -> T>,
}

impl<T: SpawnSafe> Receiver<T> {
    /// Takes the next message, and waits for one if there is none.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed), also while waiting, if there is none and nobody is left who could send one;
    /// [`Decode`](ErrorKind::Decode) if one has come that cannot be rebuilt, which is that message alone;
    /// [`System`](ErrorKind::System) if the system refuses, say because this process has no descriptor left for what
    /// the message contains: the message then can be received when it has.
    pub fn recv(&self) -> Result<T, Error> {
        match arriving::receive(&self.end, &self.scratch, Until::Forever)? {
            Some(message) => unpack(message),
            None => Err(texts::no_sender()),
        }
    }

    /// Takes the next message if there is one now.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Option<T>, Error> {
        self.recv_until(Until::Now)
    }

    /// Takes the next message, and waits for one, but no longer than this: then it gives `None`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<T>, Error> {
        self.recv_until(Until::after(timeout))
    }

    fn recv_until(&self, until: Until) -> Result<Option<T>, Error> {
        arriving::receive(&self.end, &self.scratch, until)?.map(unpack).transpose()
    }

    /// The messages, one after another, until the channel is closed. What [`recv`](Self::recv) says of a single message
    /// is an item; the iterator goes on behind it.
    pub fn iter(&self) -> Messages<'_, T> {
        Messages(self)
    }
}

impl<T> Receiver<T> {
    pub(super) fn new(end: End) -> Self {
        Self { end, scratch: Scratch::default(), message: PhantomData }
    }

    pub(super) fn end(&self) -> &End {
        &self.end
    }

    #[cfg(feature = "tokio")]
    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// For receiving within a tokio runtime, where waiting for a message must not block a thread.
    ///
    /// # Errors
    /// [`System`](ErrorKind::System), outside of a runtime, or if the process is out of descriptors.
    ///
    /// # Panics
    /// As everything in tokio that does I/O, within a runtime whose I/O is not enabled.
    #[cfg(feature = "tokio")]
    pub fn into_async(self) -> Result<super::AsyncReceiver<T>, Error> {
        super::AsyncReceiver::new(self)
    }
}

/// The value that a message is.
pub(super) fn unpack<T: SpawnSafe>(message: Message) -> Result<T, Error> {
    let mut unpacker = link::unpacker(&message.items, message.blobs).with_attachments(message.attachments);
    T::__unpack(&mut unpacker)
        .and_then(|value| unpacker.finish().map(|()| value))
        .map_err(|error| texts::undecodable(&error))
}

/// Ends where the channel is closed.
fn next<T: SpawnSafe>(receiver: &Receiver<T>) -> Option<Result<T, Error>> {
    match receiver.recv() {
        Err(error) if error.kind() == ErrorKind::Closed => None,
        received => Some(received),
    }
}

/// The messages of a [`Receiver`]: see [`Receiver::iter`].
#[derive(Debug)]
pub struct Messages<'a, T>(&'a Receiver<T>);

impl<T: SpawnSafe> Iterator for Messages<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        next(self.0)
    }
}

impl<T: SpawnSafe> FusedIterator for Messages<'_, T> {}

/// The messages of a [`Receiver`], which it owns.
#[derive(Debug)]
pub struct IntoMessages<T>(Receiver<T>);

impl<T: SpawnSafe> Iterator for IntoMessages<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        next(&self.0)
    }
}

impl<T: SpawnSafe> FusedIterator for IntoMessages<T> {}

impl<'a, T: SpawnSafe> IntoIterator for &'a Receiver<T> {
    type Item = Result<T, Error>;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Messages<'a, T> {
        self.iter()
    }
}

impl<T: SpawnSafe> IntoIterator for Receiver<T> {
    type Item = Result<T, Error>;
    type IntoIter = IntoMessages<T>;

    fn into_iter(self) -> IntoMessages<T> {
        IntoMessages(self)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::new(self.end.clone())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver { .. }")
    }
}

impl<T> Serialize for Receiver<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.end.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Receiver<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self::new)
    }
}

impl<T: SpawnSafe> SpawnSafe for Receiver<T> {}
