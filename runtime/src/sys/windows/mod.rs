//! Windows, from 10 on: `CreateProcessW` with an explicit list of handles, a named pipe as the connection, and a job
//! that ends the child with its parent.

mod adopt;
mod any_handle;
mod aside;
mod build;
mod confine;
mod handle;
mod handles;
mod job;
mod lasting;
mod memory;
mod message;
mod mutex;
mod offers;
mod operation;
mod packet;
mod passing;
mod pipe;
mod process;
mod program;
#[cfg(feature = "tokio")]
mod reactor;
mod registered;
#[cfg(test)]
mod rehearsal;
mod segment;
mod shared;
mod socket;
mod spawn;
mod stored;
mod stream;
mod streams;
mod strings;
mod view;
mod wait;

pub(crate) use adopt::{Adopted, adopt, has_raised_privileges, process_name, set_process_name};
use any_handle::AnyHandle;
pub(crate) use any_handle::AnyHandle as OwnedHandle;
pub(crate) use build::build_id;
#[cfg(feature = "engines")]
pub(crate) use build::build_id as portable_build_id;
pub(crate) use confine::confine;
pub(crate) use memory::{advise_large, stack_end};
pub(crate) use message::PACKET_HANDLES;
pub(crate) use packet::{PacketEnd, wait_to_receive, wait_to_send};
pub(crate) use process::{Process, Watch, is_kill};
#[cfg(feature = "tokio")]
pub(crate) use reactor::{AsyncEnd, AsyncWait};
#[cfg(all(test, feature = "tracing"))]
pub(crate) use rehearsal::has_more_to_write;
#[cfg(test)]
pub(crate) use rehearsal::{Canary, both_ends, canary, parent_and_child};
pub(crate) use segment::{Segment, SegmentMut};
pub(crate) use shared::Shared;
pub(crate) use spawn::{start, start_hint};
pub(crate) use stored::{Stored, store};
pub(crate) use stream::{Handover, Stream, connection};
pub(crate) use streams::Piped;
#[cfg(feature = "engines")]
pub(crate) use streams::take_streams;
pub(crate) use strings::{is_same_variable, os_string};
pub(crate) use wait::{Waker, wait, wait_any, wait_or_wake};

pub(crate) use super::no_zygote::{Forker, Standing, Surroundings, can_fork, request};
pub(crate) use super::unshared::{Inherited, Streams, at_exit, prepare_thread_count, receive_streams, thread_count};

/// What a standard stream of a child is connected to: no socket.
pub(crate) type StreamHandle = std::os::windows::io::OwnedHandle;

/// Whether the program's file can be executed again: there is no loader here that could stand in its place.
pub(crate) fn can_start_again() -> bool {
    true
}

/// A thread of this system gets no signals: the console calls its handlers on a thread of its own.
pub(crate) fn with_signals_blocked<T>(action: impl FnOnce() -> T) -> T {
    action()
}

/// Nothing that std does on the way to `main` is missing in a child.
pub(crate) fn prepare_before_main() {}

/// Calls `$macro!` with the types of this system that own a handle.
macro_rules! for_each_native_handle {
    ($macro:ident) => {
        $macro! {
            std::os::windows::io::OwnedHandle,
            std::os::windows::io::OwnedSocket,
        }
    };
}
pub(crate) use for_each_native_handle;

/// Has the C runtime call `$function` before `main`.
///
/// It calls the functions in the sections `.CRT$XCA` to `.CRT$XCZ` in the order of their names. `inventory` registers
/// in `.CRT$XCU`: this comes after every registration, whatever the order of the objects.
macro_rules! before_main {
    ($function:path) => {
        // SAFETY: the section holds pointers to functions without parameters that the C runtime calls once, on the main
        // thread, before `main`; the loader's lock is not held then.
        #[allow(unsafe_code)]
        #[used]
        #[unsafe(link_section = ".CRT$XCY")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn call() {
                $function();
            }
            call
        };
    };
}
pub(crate) use before_main;
