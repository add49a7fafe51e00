//! What a user holds: a call that can be started, and a child that was.

mod call;
mod child;
mod ending;
#[cfg(feature = "tokio")]
mod future;
mod prewarm;
mod reap;
mod running;
#[cfg(feature = "engines")]
mod stored;
#[cfg(test)]
mod tests;

pub use call::{Arguments, Call};
pub(crate) use call::{Unpack, may_start, own_name};
pub use child::Child;
pub(crate) use ending::{already_joined, not_sent, not_started, undecodable, without_answer};
#[cfg(feature = "tokio")]
pub use future::Join;
pub use prewarm::prewarm;
pub(crate) use running::failure;
#[cfg(feature = "engines")]
pub(crate) use stored::Stored;
