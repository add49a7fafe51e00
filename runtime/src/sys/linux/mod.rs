//! Linux, from 5.4 on: `posix_spawn`, process descriptors, a socket pair for the connection and a pipe as lifeline.

mod build;
mod confine;
mod end;
mod identity;
mod inherited;
pub(in crate::sys) mod lifeline;
mod memory;
mod object;
#[cfg(not(spawnsafe_datagram_queue))]
mod packet;
mod poll;
mod process;
#[cfg(feature = "tokio")]
mod reactor;
mod segment;
mod spawn;
mod status;
#[cfg(not(spawnsafe_datagram_queue))]
mod stored;
mod streams;
mod zygote;

#[cfg(feature = "engines")]
pub(crate) use build::portable_build_id;
pub(crate) use build::{build_id, can_start_again};
pub(crate) use confine::confine;
pub(crate) use end::{at_exit, prepare_thread_count, thread_count};
pub(crate) use identity::{has_raised_privileges, process_name, set_process_name};
pub(in crate::sys) use identity::{maker, mark};
pub(crate) use inherited::Inherited;
pub(crate) use memory::{advise_large, stack_end};
pub(in crate::sys) use object::{READ_ONLY, may_be_memory_object, memory_object, memory_object_len};
#[cfg(not(spawnsafe_datagram_queue))]
pub(crate) use packet::{PACKET_HANDLES, PacketEnd, wait_to_receive, wait_to_send};
pub(crate) use poll::{Waker, wait, wait_any, wait_or_wake};
pub(crate) use process::{Process, Watch, is_kill};
#[cfg(all(feature = "tokio", not(spawnsafe_datagram_queue)))]
pub(crate) use reactor::AsyncEnd;
#[cfg(feature = "tokio")]
pub(crate) use reactor::AsyncWait;
pub(crate) use segment::{Segment, SegmentMut};
pub(in crate::sys) use spawn::{
    NOT_FOUND_HINT, RECEIVE_FLAGS, SEND_FLAGS, SPAWN_FLAGS, accepts_connections, keep, keep_stream, more_never_ignored,
    pipe, program, protect, socket_pair,
};
#[cfg(not(spawnsafe_datagram_queue))]
pub(crate) use stored::{Stored, store};
pub(crate) use streams::{Streams, receive_streams};

pub(crate) use zygote::{Forker, Standing, Surroundings, can_fork, request};

#[cfg(all(feature = "tokio", spawnsafe_datagram_queue))]
pub(crate) use super::unix::AsyncEnd;
#[cfg(all(test, feature = "tracing"))]
pub(crate) use super::unix::has_more_to_write;
#[cfg(feature = "engines")]
pub(crate) use super::unix::take_streams;
pub(crate) use super::unix::{
    Adopted, OwnedHandle, Piped, Shared, Stream, StreamHandle, adopt, connection, for_each_native_handle,
    is_same_variable, os_string, prepare_before_main, start, start_hint, with_signals_blocked,
};
#[cfg(test)]
pub(crate) use super::unix::{Canary, both_ends, canary, parent_and_child};
// macOS' queue, so that the tests of channels are about it here.
#[cfg(spawnsafe_datagram_queue)]
pub(crate) use super::unix::{PACKET_HANDLES, PacketEnd, Stored, store, wait_to_receive, wait_to_send};

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
