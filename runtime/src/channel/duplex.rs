//! Two channels in opposite directions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Receiver, SendError, Sender};
use crate::error::{Error, ErrorKind};
use crate::portable::SpawnSafe;

/// An end that sends `A` and receives `B`, for processes that answer each other. [`duplex`](crate::duplex) makes two.
///
/// ```
/// use spawnsafe::{Duplex, child_entry, duplex};
///
/// /// Stays, and answers.
/// #[child_entry]
/// fn squares(mut requests: Duplex<u64, u32>) -> Result<(), spawnsafe::Error> {
///     requests.serve(|number| u64::from(number).pow(2))
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let (mut here, there) = duplex::<u32, u64>()?;
/// let child = squares::spawn(there)?;
/// assert_eq!(here.request(3)?, 9);
/// assert_eq!(here.request(4)?, 16);
/// drop(here);
/// child.join()??;
/// # Ok(()) }
/// ```
///
/// It is two channels, each with room of its own: two ends that only send, and never receive, wait for each other in the
/// end.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Duplex<A, B> {
    sender: Sender<A>,
    receiver: Receiver<B>,
}

impl<A, B> Duplex<A, B> {
    pub(super) fn new(sender: Sender<A>, receiver: Receiver<B>) -> Self {
        Self { sender, receiver }
    }

    /// The half that sends, with all that it can do.
    #[must_use]
    pub fn sender(&self) -> &Sender<A> {
        &self.sender
    }

    /// The half that receives, with all that it can do; for [`Select`](crate::Select) as well.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<B> {
        &self.receiver
    }

    /// The halves by themselves, say for two threads, or two processes.
    #[must_use]
    pub fn split(self) -> (Sender<A>, Receiver<B>) {
        (self.sender, self.receiver)
    }
}

impl<A: SpawnSafe, B: SpawnSafe> Duplex<A, B> {
    /// Sends a value, and waits until there is room for it.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn send(&self, value: A) -> Result<(), SendError<A>> {
        self.sender.send(value)
    }

    /// Takes the next message, and waits for one if there is none.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    pub fn recv(&self) -> Result<B, Error> {
        self.receiver.recv()
    }

    /// Sends a value, and takes the next message, which is the reply if the other side replies to each.
    ///
    /// # Errors
    /// As [`Sender::send`] and [`Receiver::recv`]. If the reply cannot be rebuilt, it is taken all the same, and the next
    /// request gets its own.
    pub fn request(&mut self, value: A) -> Result<B, Error> {
        self.sender.send(value)?;
        self.receiver.recv()
    }

    /// Replies to each message with what `reply` makes of it, until the other side is gone.
    ///
    /// # Errors
    /// As [`Sender::send`] and [`Receiver::recv`], except for [`Closed`](ErrorKind::Closed), which is the end.
    pub fn serve(&mut self, mut reply: impl FnMut(B) -> A) -> Result<(), Error> {
        for request in &self.receiver {
            match self.sender.send(reply(request?)) {
                Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
                sent => sent?,
            }
        }
        Ok(())
    }
}

impl<A, B> fmt::Debug for Duplex<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Duplex { .. }")
    }
}

impl<A: SpawnSafe, B: SpawnSafe> SpawnSafe for Duplex<A, B> {}
