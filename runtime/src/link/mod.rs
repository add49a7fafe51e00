//! One framed connection: frames become bytes in order, and bytes become frames as they arrive.
//!
//! Both directions are machines that do as much as the connection takes and can then be asked again, so that one
//! piece of code serves a child that blocks, a parent that waits for several things, and an executor.

mod inbox;
mod outbox;

pub(crate) use inbox::{Frame, Inbox, Progress};
pub(crate) use outbox::Outbox;
