//! What a value carries that no bytes can express: open handles of the system, as things of which nothing is known here.
//!
//! Serde knows bytes and numbers only, so a type that owns a handle passes it *beside* the serializer: its `Serialize`
//! calls [`attach`], which writes a newtype struct of a name that only [`Packer`](super::Packer) knows, and leaves the
//! handle where the packer takes it from. Any other serializer asks that newtype for its content, which is an error. The
//! way back is the same: the unpacker presents a *key*, and [`claim`] takes what waits under it. A key and not the thing
//! itself, because serde may keep it for a while: it reads flattened and untagged types into a buffer first.
//!
//! In the bytes there is the tag [`HANDLE`](super::tag::HANDLE) on the number of the attachment in its frame.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::BytesDeserializer;
use serde::de::{self, Deserializer, Visitor};
use serde::ser::{self, Serialize, Serializer};

/// How many attachments one frame may have.
pub(crate) const MAX_ATTACHMENTS: usize = ATTACHMENTS_AT_ONCE * super::HEADER_LEN;

/// How many travel with one byte of a frame's header, each of which may have as many. This is what Linux allows for one
/// message.
pub(crate) const ATTACHMENTS_AT_ONCE: usize = 253;

/// Something that travels beside the bytes. It may travel several times, so it is shared.
#[derive(Clone)]
pub(crate) struct Attachment {
    thing: Arc<dyn Any + Send + Sync>,
    /// The argument that it is in, if it is in one.
    #[cfg(feature = "engines")]
    argument: &'static str,
}

impl Attachment {
    pub(crate) fn new<T: Any + Send + Sync>(thing: Arc<T>) -> Self {
        Self {
            thing,
            #[cfg(feature = "engines")]
            argument: "",
        }
    }

    /// Notes the argument that it is in, unless that is known.
    #[cfg(feature = "engines")]
    pub(super) fn belongs_to(&mut self, argument: &'static str) {
        if self.argument.is_empty() {
            self.argument = argument;
        }
    }

    /// The argument that it is in; empty if it is in none.
    #[cfg(feature = "engines")]
    pub(crate) fn argument(&self) -> &'static str {
        self.argument
    }

    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.thing.downcast_ref()
    }

    /// The thing, shared or not; `None` if it is something else.
    pub(crate) fn into_inner<T: Any + Send + Sync>(self) -> Option<Arc<T>> {
        self.thing.downcast().ok()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment")
    }
}

/// An attachment as it has come; `None` if this process could not be given it.
pub(crate) type Arrived = Option<Attachment>;

/// The name of the newtype struct that stands for an attachment.
const NAME: &str = "$spawnsafe::attachment";

pub(super) fn is_attachment(name: &str) -> bool {
    name == NAME
}

thread_local! {
    /// What is on its way from [`attach`] to the packer.
    static OFFERED: Cell<Option<Attachment>> = const { Cell::new(None) };
    /// What is on its way from unpackers to [`claim`].
    static WAITING: RefCell<Waiting> = const { RefCell::new(Waiting { last_key: 0, list: Vec::new() }) };
}

/// Writes a value that is an attachment: for the `Serialize` of its type.
pub(crate) fn attach<S: Serializer>(attachment: Attachment, to: S) -> Result<S::Ok, S::Error> {
    OFFERED.set(Some(attachment));
    let done = to.serialize_newtype_struct(NAME, &Foreign);
    // Somebody else's serializer has left it there.
    OFFERED.take();
    done
}

/// In the packer: what `attach` has left.
pub(super) fn offered() -> Option<Attachment> {
    OFFERED.take()
}

/// What a serializer finds that is not ours.
struct Foreign;

impl Serialize for Foreign {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom(
            "an open handle cannot be written as data: only spawnsafe passes it to another process, in an argument or a result",
        ))
    }
}

struct Waiting {
    last_key: u64,
    list: Vec<(u64, Attachment, Stay)>,
}

/// How long something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// Until it is claimed.
    Once,
    /// As long as its unpacker, as it may be claimed several times: serde tries the variants of an untagged enum in turn.
    On,
}

/// An attachment that waits to be claimed, on this thread, and no longer than this lives.
#[derive(Debug)]
pub(super) struct Place {
    key: u64,
    of_this_thread: PhantomData<*const ()>,
}

impl Place {
    /// For whoever is about to claim it.
    pub(super) fn once(attachment: Attachment) -> Self {
        Self::new(attachment, Stay::Once)
    }

    /// For whoever may claim it later.
    pub(super) fn on(attachment: Attachment) -> Self {
        Self::new(attachment, Stay::On)
    }

    fn new(attachment: Attachment, stay: Stay) -> Self {
        WAITING.with_borrow_mut(|waiting| {
            waiting.last_key += 1;
            waiting.list.push((waiting.last_key, attachment, stay));
            Self { key: waiting.last_key, of_this_thread: PhantomData }
        })
    }

    /// Has the visitor see the key. No type takes it for something else: it is a newtype of a byte string that is no
    /// text and that nobody else would write.
    pub(super) fn show<'de, V: Visitor<'de>, E: de::Error>(&self, visitor: V) -> Result<V::Value, E> {
        let mut bytes = [0; KEY_LEN];
        bytes[..KEY_START.len()].copy_from_slice(KEY_START);
        bytes[KEY_START.len()..].copy_from_slice(&self.key.to_le_bytes());
        visitor.visit_newtype_struct(BytesDeserializer::new(&bytes))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What it is may be dropped by the user's code, which may end up here again.
        let gone = WAITING.try_with(|waiting| {
            let mut waiting = waiting.borrow_mut();
            let at = waiting.list.iter().rposition(|(key, ..)| *key == self.key)?;
            Some(waiting.list.swap_remove(at))
        });
        drop(gone);
    }
}

const KEY_START: &[u8] = b"\xffspawnsafe handle";
const KEY_LEN: usize = KEY_START.len() + 8;

/// Reads a value that is an attachment: for the `Deserialize` of its type.
pub(crate) fn claim<'de, D: Deserializer<'de>>(from: D) -> Result<Attachment, D::Error> {
    from.deserialize_newtype_struct(NAME, Claim)
}

struct Claim;

impl<'de> Visitor<'de> for Claim {
    type Value = Attachment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an open handle")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, key: D) -> Result<Attachment, D::Error> {
        // What another format says of its content instead would help nobody.
        let key = key.deserialize_bytes(Key).map_err(|_| {
            de::Error::custom("an open handle was to be read, which only spawnsafe passes from process to process")
        })?;
        let found = WAITING.with_borrow_mut(|waiting| {
            let at = waiting.list.iter().rposition(|(number, ..)| *number == key)?;
            match waiting.list[at].2 {
                Stay::Once => Some(waiting.list.swap_remove(at).1),
                Stay::On => Some(waiting.list[at].1.clone()),
            }
        });
        found.ok_or_else(|| de::Error::custom("an open handle was read twice, or elsewhere than it has arrived"))
    }
}

struct Key;

impl Visitor<'_> for Key {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of an open handle")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<u64, E> {
        let key = bytes.strip_prefix(KEY_START).and_then(|key| key.try_into().ok()).map(u64::from_le_bytes);
        key.ok_or_else(|| de::Error::invalid_type(de::Unexpected::Bytes(bytes), &self))
    }
}
