//! Linux, from 5.4 on: `posix_spawn`, process descriptors, a socket pair for the connection and a pipe as lifeline.

mod adopt;
mod build;
mod confine;
mod lifeline;
mod memory;
mod poll;
mod process;
#[cfg(feature = "tokio")]
mod reactor;
mod shared;
mod signals;
mod spawn;
mod stream;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

pub(crate) use adopt::{Adopted, adopt, has_raised_privileges, prepare_before_main, process_name, set_process_name};
pub(crate) use build::{build_id, can_start_again};
pub(crate) use confine::confine;
pub(crate) use memory::{advise_large, stack_end};
pub(crate) use poll::{Waker, wait, wait_any, wait_or_wake};
pub(crate) use process::{Process, Watch, is_kill};
#[cfg(feature = "tokio")]
pub(crate) use reactor::AsyncWait;
pub(crate) use shared::Shared;
pub(crate) use signals::with_signals_blocked;
pub(crate) use spawn::{Piped, start};
use stream::Handover;
pub(crate) use stream::{Stream, connection};

/// An open descriptor that closes when it is dropped.
pub(crate) type OwnedHandle = std::os::fd::OwnedFd;

/// A string of the system from its bytes, as `OsStr::as_encoded_bytes` gave them in another process.
pub(crate) fn os_string(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

/// Whether the error is that no more files can be opened.
pub(crate) fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Calls `$macro!` with the types of this system that own a handle.
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

/// Has the system call `$function` before `main`.
///
/// The static is in `.init_array` without a priority, where `inventory` registers as well. The linker keeps the order
/// of the objects on its command line, and rustc puts a crate behind all that depend on it: this crate's function
/// runs after every registration. Should a linker ever decide otherwise, the child says that it has no such entry.
macro_rules! before_main {
    ($function:path) => {
        // SAFETY: the section holds pointers to functions that the system calls once, on the main thread, before
        // `main`, and the function has the type that it calls them with (on Linux the arguments of `main`, which a
        // function without parameters ignores).
        #[allow(unsafe_code)]
        #[used]
        #[unsafe(link_section = ".init_array")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn call() {
                $function();
            }
            call
        };
    };
}
pub(crate) use before_main;
