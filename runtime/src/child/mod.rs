//! Being a child: taking over from `main`, running one entry, and telling the parent how it ended.

#[cfg(feature = "tokio")]
mod asynchronous;
mod boot;
#[cfg_attr(not(feature = "tracing"), path = "silent.rs")]
mod events;
mod invoke;
mod panic;
mod reply;
#[cfg(feature = "engines")]
mod role;
mod worker;
mod zygote;

#[cfg(feature = "tokio")]
pub use asynchronous::{Flavor, block_on};
pub(crate) use boot::enter_main;
#[cfg(feature = "engines")]
pub(crate) use reply::{complain, pack_error};
#[cfg(feature = "engines")]
pub(crate) use role::{take_role, take_role_before_main};
