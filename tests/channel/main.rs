//! Channels between processes, as their users see them.

#![cfg(any(target_os = "linux", windows))]

#[cfg(feature = "tokio")]
mod asynchronous;
mod bulk;
mod directions;
mod ends;
mod killed;
mod limits;
mod sockets;
#[cfg(windows)]
mod windows;

use spawnsafe::{Error, Receiver, Sender, child_entry};

/// Sends these numbers.
#[child_entry]
fn counts(to: Sender<u64>, from: u64, count: u64) -> Result<(), Error> {
    (from..from + count).try_for_each(|number| Ok(to.send(number)?))
}

/// Adds up what it gets, until there is nothing more.
#[child_entry]
fn sums(numbers: Receiver<u64>) -> Result<u64, Error> {
    numbers.iter().sum()
}
