//! Ends of channels within a tokio runtime.

use std::fmt;
use std::io;

use super::arriving::{self, Taken};
use super::leaving::Leaving;
use super::receiver::unpack;
use super::sender::pack;
use super::{Receiver, SendError, Sender, texts};
use crate::error::Error;
use crate::portable::SpawnSafe;
use crate::sys::{AsyncEnd, Patience};

/// A [`Sender`] whose waiting can be awaited: [`Sender::into_async`] makes it.
pub struct AsyncSender<T> {
    sender: Sender<T>,
    end: AsyncEnd,
}

/// A [`Receiver`] whose waiting can be awaited: [`Receiver::into_async`] makes it.
///
/// ```
/// use spawnsafe::{Sender, channel, child_entry};
///
/// #[child_entry]
/// fn counts(to: Sender<u32>) -> Result<(), spawnsafe::Error> {
///     (1..=3).try_for_each(|number| Ok(to.send(number)?))
/// }
///
/// #[spawnsafe::process_main]
/// #[tokio::main]
/// async fn main() -> Result<(), spawnsafe::Error> {
///     let (sender, receiver) = channel()?;
///     let child = counts::spawn(sender)?;
///     let receiver = receiver.into_async()?;
///     for number in 1..=3 {
///         assert_eq!(receiver.recv().await?, number);
///     }
///     child.await?
/// }
/// ```
pub struct AsyncReceiver<T> {
    receiver: Receiver<T>,
    end: AsyncEnd,
}

/// tokio would panic.
fn within_a_runtime() -> Result<(), Error> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Ok(()),
        Err(error) => Err(texts::not_registered(io::Error::other(error))),
    }
}

impl<T> AsyncSender<T> {
    pub(super) fn new(sender: Sender<T>) -> Result<Self, Error> {
        within_a_runtime()?;
        let end = AsyncEnd::to_send(&sender.end().packets).map_err(texts::not_registered)?;
        Ok(Self { sender, end })
    }

    /// The sender itself, say to be cloned; its calls block.
    #[must_use]
    pub fn sender(&self) -> &Sender<T> {
        &self.sender
    }
}

impl<T: SpawnSafe> AsyncSender<T> {
    /// Sends a value, and waits until there is room for it. If the future is dropped before it is done, the value is not
    /// sent, no part of it either.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        let packed = pack(value)?;
        let end = self.sender.end();
        let sent = match Leaving::new(&packed, end.max_message) {
            Ok(mut leaving) => {
                let sent = self.end.when_ready(|| leaving.attempt(end, Patience::Now)).await;
                sent.map_err(texts::not_sent)
            }
            Err(error) => Err(error),
        };
        sent.map_err(|error| SendError::of_packed(error, packed))
    }
}

impl<T> AsyncReceiver<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Result<Self, Error> {
        within_a_runtime()?;
        let end = AsyncEnd::to_receive(&receiver.end().packets).map_err(texts::not_registered)?;
        Ok(Self { receiver, end })
    }

    /// The receiver itself, for what does not wait; the rest of its calls block.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }
}

impl<T: SpawnSafe> AsyncReceiver<T> {
    /// Takes the next message, and waits for one if there is none. If the future is dropped before it is done, no message
    /// is lost: it can be a branch of `tokio::select!`.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    pub async fn recv(&self) -> Result<T, Error> {
        let attempt = || arriving::attempt(self.receiver.end(), self.receiver.scratch(), Patience::Now);
        let taken: io::Result<Taken> = self.end.when_ready(attempt).await;
        match taken.map_err(texts::not_received)? {
            Taken::Message(message) => unpack(message?),
            Taken::Closed => Err(texts::no_sender()),
        }
    }
}

impl<T> fmt::Debug for AsyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsyncSender { .. }")
    }
}

impl<T> fmt::Debug for AsyncReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsyncReceiver { .. }")
    }
}
