//! What failed, and what to do about it.

use std::io;

use crate::error::{Error, ErrorKind};
use crate::sys::PACKET_HANDLES;
use crate::wire::CodecError;

pub(super) fn not_made(error: io::Error) -> Error {
    let message = format!("a channel cannot be made: {error}{}", hint(&error));
    Error::new(ErrorKind::System, message).with_source(error)
}

/// What to do if the system has refused something.
fn hint(error: &io::Error) -> &'static str {
    if [io::ErrorKind::Unsupported, io::ErrorKind::TimedOut].contains(&error.kind()) {
        ""
    } else {
        "; if too many files are open, raise the limit (`ulimit -n`) or close some"
    }
}

pub(super) fn not_packed(error: &CodecError) -> Error {
    Error::new(ErrorKind::Encode, format!("the message cannot be packed: {error}; nothing was sent"))
}

pub(super) fn too_long(len: u64, max: u64) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!(
            "the message is {len} bytes long, and this channel takes {max}: raise `ChannelBuilder::max_message_len`, or \
             send it in parts; nothing was sent"
        ),
    )
}

pub(super) fn too_many_handles(count: usize) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!(
            "the message contains {count} open handles or ends of channels, and can have {}: send them in several \
             messages; nothing was sent",
            PACKET_HANDLES - 1
        ),
    )
}

pub(super) fn not_stored(error: io::Error) -> Error {
    let message = format!("there is no memory to send a long message through: {error}; nothing was sent");
    Error::new(ErrorKind::System, message).with_source(error)
}

pub(super) fn not_sent(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::new(
            ErrorKind::Closed,
            "the message was not sent: every receiver of this channel is gone; if a child process had it, join the child \
             to see why",
        );
    }
    Error::new(ErrorKind::System, format!("the message was not sent: {error}{}", hint(&error))).with_source(error)
}

pub(super) fn full() -> Error {
    Error::new(
        ErrorKind::TimedOut,
        "the message was not sent: the channel had no room for it within the time given, as nobody has received what is \
         in it",
    )
}

pub(super) fn no_sender() -> Error {
    Error::new(
        ErrorKind::Closed,
        "there is no message, and every sender of this channel is gone; if a child process had one, join the child to \
         see why",
    )
}

pub(super) fn not_received(error: io::Error) -> Error {
    let message = format!("no message can be received, and none is lost: {error}{}", hint(&error));
    Error::new(ErrorKind::System, message).with_source(error)
}

pub(super) fn undecodable(error: &CodecError) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!(
            "a message cannot be rebuilt in this process: {error}; does its `Deserialize` read what its `Serialize` \
             writes? The next message can be received"
        ),
    )
}

pub(super) fn garbage(what: &str) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!(
            "what has arrived in the channel is no message: {what}; does a process write to file descriptors that are not \
             its own? The next message can be received"
        ),
    )
}

pub(super) fn beside_is_missing() -> Error {
    Error::new(
        ErrorKind::Decode,
        "a long message is lost, as this process had no descriptor left for its memory: raise the limit (`ulimit -n`) or \
         close some files; the next message can be received",
    )
}

pub(super) fn beside_is_damaged(error: io::Error) -> Error {
    garbage(&format!("its memory cannot be read ({error})")).with_source(error)
}

pub(super) fn arrived_too_long(len: u64, max: u64) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!(
            "a message of {len} bytes has arrived, and this channel takes {max}: raise `ChannelBuilder::max_message_len`; \
             the next message can be received"
        ),
    )
}

pub(super) fn not_awaited(error: io::Error) -> Error {
    Error::new(ErrorKind::System, format!("the channels cannot be waited for: {error}")).with_source(error)
}

#[cfg(feature = "tokio")]
pub(super) fn not_registered(error: io::Error) -> Error {
    let message = format!("the channel cannot be awaited: {error}; call `into_async` within a tokio runtime");
    Error::new(ErrorKind::System, message).with_source(error)
}
