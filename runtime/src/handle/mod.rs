//! What a user holds: a call that can be started, and a child that was.

mod call;
mod child;
mod ending;
#[cfg(feature = "tokio")]
mod future;
mod reap;
mod running;
#[cfg(test)]
mod tests;

pub use call::{Arguments, Call};
pub use child::Child;
#[cfg(feature = "tokio")]
pub use future::Join;
