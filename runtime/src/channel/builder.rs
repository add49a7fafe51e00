//! Making channels.
//!
//! What is demanded of a message is stated on the end that it is for: of a bound on the message itself, rustc would say that
//! it is not met, and not why.

use super::{Duplex, End, Receiver, Sender, texts};
use crate::error::Error;
use crate::portable::SpawnSafe;
use crate::sys::PacketEnd;

/// What is asked for as the room of a queue: what Linux grants by default, at most, to everybody.
const CAPACITY: usize = 208 << 10;

/// The greatest length of a message, if nothing else is said.
const MAX_MESSAGE: u64 = if usize::BITS > 32 { 4 << 30 } else { 1 << 30 };

/// Sets up a channel before it is made: how much may wait in it, and how long a message may be.
///
/// ```
/// use spawnsafe::ChannelBuilder;
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let (sender, receiver) = ChannelBuilder::new().max_message_len(1 << 20).channel::<Vec<u8>>()?;
/// assert!(sender.send(vec![0; 2 << 20]).is_err());
/// sender.send(vec![0; 1000])?;
/// assert_eq!(receiver.recv()?.len(), 1000);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "no channel is made until `channel` or `duplex` is called"]
pub struct ChannelBuilder {
    capacity: usize,
    max_message: u64,
}

impl Default for ChannelBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChannelBuilder {
    /// What [`channel`] and [`duplex`] have.
    pub fn new() -> Self {
        Self { capacity: CAPACITY, max_message: MAX_MESSAGE }
    }

    /// How many bytes of messages may wait to be received before a sender waits; 208 KiB by default.
    ///
    /// The system keeps the account. It grants no more than its own limit (Linux: `net.core.wmem_max`, 208 KiB unless
    /// somebody has raised it) and no less than a few KiB, counts some hundred bytes for each message beside its own,
    /// and doubles the sum for that. A message that is longer than 64 KiB or than the capacity takes up a part of the
    /// room, whatever its length: a few of them can wait.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// How long a message may be once it is packed; 4 GiB by default, 1 GiB on systems of 32 bits. Sending a longer one
    /// is an error, and so is receiving it from a process that has sent it nevertheless.
    pub fn max_message_len(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self
    }

    /// Makes a channel.
    ///
    /// # Errors
    /// As for [`channel`].
    pub fn channel<T>(&self) -> Result<(Sender<T>, Receiver<T>), Error>
    where
        Sender<T>: SpawnSafe,
    {
        self.ends()
    }

    /// Makes a pair of ends that both send and receive.
    ///
    /// # Errors
    /// As for [`channel`].
    // An alias would hide that it is two ends.
    #[allow(clippy::type_complexity)]
    pub fn duplex<A, B>(&self) -> Result<(Duplex<A, B>, Duplex<B, A>), Error>
    where
        Duplex<A, B>: SpawnSafe,
    {
        let (there, from_here) = self.ends()?;
        let (back, from_there) = self.ends()?;
        Ok((Duplex::new(there, from_there), Duplex::new(back, from_here)))
    }

    fn ends<T>(&self) -> Result<(Sender<T>, Receiver<T>), Error> {
        let (from, to) = PacketEnd::pair(self.capacity).map_err(texts::not_made)?;
        let end = |packets| End { packets, max_message: self.max_message };
        Ok((Sender::new(end(from)), Receiver::new(end(to))))
    }
}

#[doc = include_str!("../docs/channel.md")]
pub fn channel<T>() -> Result<(Sender<T>, Receiver<T>), Error>
where
    Sender<T>: SpawnSafe,
{
    ChannelBuilder::new().channel()
}

/// Two ends that both send and receive, for processes that answer each other: see [`Duplex`].
///
/// # Errors
/// As for [`channel`].
#[allow(clippy::type_complexity)] // As above.
pub fn duplex<A, B>() -> Result<(Duplex<A, B>, Duplex<B, A>), Error>
where
    Duplex<A, B>: SpawnSafe,
{
    ChannelBuilder::new().duplex()
}
