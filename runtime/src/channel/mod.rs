//! Values from any process to any other, while both run: a queue with two kinds of ends, both of which travel.
//!
//! A channel is one queue of packets of the system (`sys::PacketEnd`), and **each message is one packet**. From that
//! follows nearly everything that a channel promises:
//! - Several processes may send through one end, and several may receive: the system keeps packets whole, and in the order
//!   in which each sender has sent them. There is no lock, so nobody who is killed can hold one.
//! - A message is sent whole or not at all, whenever its sender is killed, gives up waiting or has its future dropped. A
//!   receiver keeps nothing between two messages, so it can be passed on at any time.
//! - That a receiver can be read means that a message can be taken: waiting for several is one call of the system.
//! - The end of the last sender, or of the last receiver, is seen by the system, however their processes end.
//! - The queue is bounded by the system in bytes, and that is the back-pressure.
//!
//! What is longer than a packet is written into memory of its own, whose handle rides on the packet; open handles that a
//! message contains do so as well. Such a packet is filled up with zeros: it takes as much room in the queue as any can, so
//! that only a few long messages wait at a time. Rejected: messages in several packets. They would have to be put together
//! again for each sender, and every one that ends within a message, for whatever reason, would leave a part of it behind.
//! For a long message it is faster, as sender and receiver copy at the same time; whoever sends much that is long passes a
//! shared slice, which is not copied at all.
//!
//! The form of a packet is in `wire::message`; the bytes of a message are those that an argument has.

mod arriving;
#[cfg(feature = "tokio")]
mod asynchronous;
mod builder;
mod duplex;
mod end;
mod leaving;
mod receiver;
mod select;
mod sender;
#[cfg(test)]
mod tests;
mod texts;

#[cfg(feature = "tokio")]
pub use asynchronous::{AsyncReceiver, AsyncSender};
pub use builder::{ChannelBuilder, channel, duplex};
pub use duplex::Duplex;
use end::{End, Until};
pub use receiver::{IntoMessages, Messages, Receiver};
pub use select::{Ready, Select};
pub use sender::{SendError, Sender};
