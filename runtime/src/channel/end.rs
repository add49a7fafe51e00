//! What all ends of channels are, whatever their messages are: an end of a queue, and what its messages may be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sys::{OwnedHandle, PacketEnd};
use crate::wire::{Attachment, attach, claim};

/// One end of a channel without the type of its messages.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) packets: PacketEnd,
    /// The greatest length of a message in bytes.
    pub(super) max_message: u64,
}

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Now,
    At(Instant),
    Forever,
}

impl Until {
    pub(super) fn after(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Until::Forever, Until::At)
    }

    /// As the system takes it.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Until::Now => Some(Instant::now()),
            Until::At(deadline) => Some(deadline),
            Until::Forever => None,
        }
    }
}

/// A handle that travels beside the bytes.
struct Attached(Arc<OwnedHandle>);

impl Serialize for Attached {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attach(Attachment::new(self.0.clone()), serializer)
    }
}

impl<'de> Deserialize<'de> for Attached {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = claim(deserializer)?.into_inner();
        handle.map(Self).ok_or_else(|| D::Error::custom("this is no handle of the system"))
    }
}

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let handles: Vec<_> = self.packets.handles().into_iter().map(Attached).collect();
        (self.max_message, handles).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (max_message, handles) = <(u64, Vec<Attached>)>::deserialize(deserializer)?;
        let handles = handles.into_iter().map(|attached| attached.0).collect();
        let packets = PacketEnd::from_handles(handles);
        let packets = packets.ok_or_else(|| D::Error::custom("these handles are no end of a channel"))?;
        Ok(Self { packets, max_message })
    }
}
