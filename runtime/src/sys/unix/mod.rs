//! What Linux and macOS have in common: POSIX. What it leaves open, or what one of them does better, is in the folder
//! of that system, and is used from here by its name there.

mod adopt;
mod anchor;
#[cfg(any(target_os = "macos", spawnsafe_datagram_queue))]
mod datagram;
#[cfg(target_os = "linux")]
mod environment;
mod handles;
pub(in crate::sys) mod mapping;
mod poll;
#[cfg(all(feature = "tokio", any(target_os = "macos", spawnsafe_datagram_queue)))]
mod reactor;
#[cfg(test)]
mod rehearsal;
mod shared;
mod signals;
pub(in crate::sys) mod spawn;
#[cfg(any(target_os = "macos", spawnsafe_datagram_queue))]
mod stored;
mod stream;
#[cfg(feature = "engines")]
mod streams;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

pub(in crate::sys) use adopt::is_cut;
pub(crate) use adopt::{Adopted, adopt, prepare_before_main};
#[cfg(target_os = "linux")]
pub(in crate::sys) use adopt::{identity, identity_in};
#[cfg(any(target_os = "macos", spawnsafe_datagram_queue))]
pub(crate) use datagram::{PACKET_HANDLES, PacketEnd, wait_to_receive, wait_to_send};
#[cfg(target_os = "linux")]
pub(in crate::sys) use environment::set_environment;
pub(in crate::sys) use poll::poll;
#[cfg(all(feature = "tokio", any(target_os = "macos", spawnsafe_datagram_queue)))]
pub(crate) use reactor::AsyncEnd;
#[cfg(all(test, feature = "tracing"))]
pub(crate) use rehearsal::has_more_to_write;
#[cfg(test)]
pub(crate) use rehearsal::{Canary, both_ends, canary, parent_and_child};
pub(crate) use shared::Shared;
pub(crate) use signals::with_signals_blocked;
pub(in crate::sys) use spawn::FileActions;
pub(crate) use spawn::{Piped, start, start_hint};
#[cfg(any(target_os = "macos", spawnsafe_datagram_queue))]
pub(crate) use stored::{Stored, store};
pub(crate) use stream::{Handover, Stream, connection};
#[cfg(feature = "engines")]
pub(crate) use streams::take_streams;

/// An open descriptor that closes when it is dropped.
pub(crate) type OwnedHandle = std::os::fd::OwnedFd;

/// What a standard stream of a child is connected to.
pub(crate) type StreamHandle = OwnedHandle;

/// A string of the system from its bytes, as `OsStr::as_encoded_bytes` gave them in another process.
pub(crate) fn os_string(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

/// Whether two names are those of one environment variable.
pub(crate) fn is_same_variable(a: &OsStr, b: &OsStr) -> bool {
    a == b
}

/// Calls `$macro!` with the types of these systems that own a handle.
macro_rules! for_each_native_handle {
    ($macro:ident) => {
        $macro! {
            std::os::fd::OwnedFd,
            std::os::unix::net::UnixStream,
            std::os::unix::net::UnixListener,
            std::os::unix::net::UnixDatagram,
        }
    };
}
pub(crate) use for_each_native_handle;
