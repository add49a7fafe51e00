//! What all ends of channels are, whatever their messages are: an end of a queue, and what its messages may be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::link;
use crate::sys::{OwnedHandle, PacketEnd};

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
struct Leaving(Arc<OwnedHandle>);

impl Serialize for Leaving {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        link::attach(Arc::clone(&self.0), serializer)
    }
}

/// One that has travelled.
struct Arrived(OwnedHandle);

impl<'de> Deserialize<'de> for Arrived {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        link::claim(deserializer).map(Self)
    }
}

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let handles = self.packets.handles().map_err(S::Error::custom)?;
        let handles: Vec<_> = handles.into_iter().map(Leaving).collect();
        (self.max_message, handles).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (max_message, handles) = <(u64, Vec<Arrived>)>::deserialize(deserializer)?;
        let handles = handles.into_iter().map(|arrived| arrived.0).collect();
        let packets = PacketEnd::from_handles(handles);
        let packets = packets.ok_or_else(|| D::Error::custom("these handles are no end of a channel"))?;
        Ok(Self { packets, max_message })
    }
}
