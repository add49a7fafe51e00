//! macOS, from 11 on, by calls that its manual pages and headers document. It is checked and not run: what is here is as
//! small as it can be.

mod build;
mod confine;
mod identity;
mod kqueue;
pub(in crate::sys) mod lifeline;
mod memory;
mod object;
mod poll;
mod process;
#[cfg(feature = "tokio")]
mod reactor;
mod segment;
mod spawn;

#[cfg(feature = "engines")]
pub(crate) use build::build_id as portable_build_id;
pub(crate) use build::{build_id, can_start_again};
pub(crate) use confine::confine;
pub(crate) use identity::{has_raised_privileges, process_name, set_process_name};
pub(in crate::sys) use identity::{maker, mark};
pub(crate) use memory::{advise_large, stack_end};
pub(in crate::sys) use object::{READ_ONLY, may_be_memory_object, memory_object, memory_object_len};
pub(crate) use poll::{Waker, wait, wait_any, wait_or_wake};
pub(crate) use process::{Process, Watch, is_kill};
#[cfg(feature = "tokio")]
pub(crate) use reactor::AsyncWait;
pub(crate) use segment::{Segment, SegmentMut};
pub(in crate::sys) use spawn::{
    NOT_FOUND_HINT, RECEIVE_FLAGS, SEND_FLAGS, SPAWN_FLAGS, accepts_connections, keep, keep_stream, more_never_ignored,
    pipe, program, protect, socket_pair,
};

pub(crate) use super::no_zygote::{Forker, Standing, Surroundings, can_fork, request};
#[cfg(feature = "tokio")]
pub(crate) use super::unix::AsyncEnd;
#[cfg(all(test, feature = "tracing"))]
pub(crate) use super::unix::has_more_to_write;
#[cfg(feature = "engines")]
pub(crate) use super::unix::take_streams;
pub(crate) use super::unix::{
    Adopted, Handover, OwnedHandle, PACKET_HANDLES, PacketEnd, Piped, Shared, Stored, Stream, StreamHandle, adopt,
    connection, for_each_native_handle, is_same_variable, os_string, prepare_before_main, start, start_hint, store,
    wait_to_receive, wait_to_send, with_signals_blocked,
};
#[cfg(test)]
pub(crate) use super::unix::{Canary, both_ends, canary, parent_and_child};
pub(crate) use super::unshared::{Inherited, Streams, at_exit, prepare_thread_count, receive_streams, thread_count};

/// Has the system call `$function` before `main`.
///
/// The static is in `__mod_init_func`, where `inventory` registers as well. The linker keeps the order of the objects on
/// its command line, and rustc puts a crate behind all that depend on it: this crate's function runs after every
/// registration. Should a linker ever decide otherwise, the child says that it has no such entry.
macro_rules! before_main {
    ($function:path) => {
        // SAFETY: the section holds pointers to functions that the loader calls once, on the main thread, before
        // `main`, and the function has the type that it calls them with (the arguments of `main`, which a function
        // without parameters ignores).
        #[allow(unsafe_code)]
        #[used]
        #[unsafe(link_section = "__DATA,__mod_init_func")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn call() {
                $function();
            }
            call
        };
    };
}
pub(crate) use before_main;
