//! A message on its way out, whatever it is.

use std::io;
use std::iter;
use std::sync::Arc;

use super::{End, Until, texts};
use crate::error::Error;
use crate::sys::{self, OwnedHandle, PACKET_HANDLES, Patience};
use crate::wire::{BLOB_MIN, MESSAGE_HEAD_LEN, MessageHead, PACKET_MAX, Packed};

/// A packed message in the form in which it is to be sent.
#[derive(Debug)]
pub(super) struct Leaving<'a> {
    packed: &'a Packed,
    packet: Vec<u8>,
    handles: Vec<Arc<OwnedHandle>>,
    beside: bool,
}

impl<'a> Leaving<'a> {
    pub(super) fn new(packed: &'a Packed, max_message: u64) -> Result<Self, Error> {
        let blobs = packed.blobs.iter().map(|blob| blob.len() as u64).sum::<u64>();
        let len = packed.items.len() as u64 + blobs;
        if len > max_message {
            return Err(texts::too_long(len, max_message));
        }
        let handles: Option<Vec<_>> = packed.attachments.iter().map(|one| one.clone().into_inner()).collect();
        // One more for the memory that the message may have to be in.
        let handles = handles.filter(|handles| handles.len() < PACKET_HANDLES);
        let handles = handles.ok_or_else(|| texts::too_many_handles(packed.attachments.len()))?;
        let mut leaving = Self { packed, packet: Vec::new(), handles, beside: false };
        if packed.blobs.is_empty() && packed.items.len() <= BLOB_MIN {
            leaving.packet.reserve_exact(MESSAGE_HEAD_LEN + packed.items.len());
            leaving.packet.extend_from_slice(&leaving.head().encode());
            leaving.packet.extend_from_slice(&packed.items);
        } else {
            leaving.put_beside().map_err(texts::not_stored)?;
        }
        Ok(leaving)
    }

    fn head(&self) -> MessageHead {
        MessageHead {
            beside: self.beside,
            handles: self.handles.len() as u8,
            blobs: self.packed.blobs.len() as u16,
            len: self.packed.items.len() as u64,
        }
    }

    fn put_beside(&mut self) -> io::Result<()> {
        let Packed { items, blobs, .. } = self.packed;
        let lengths: Vec<[u8; 8]> = blobs.iter().map(|blob| (blob.len() as u64).to_le_bytes()).collect();
        let blobs = lengths.iter().zip(blobs).flat_map(|(len, blob)| [&len[..], &blob[..]]);
        let memory = sys::store(iter::once(&items[..]).chain(blobs))?;
        self.handles.insert(0, Arc::new(memory));
        self.beside = true;
        self.packet = self.head().encode().to_vec();
        self.packet.resize(PACKET_MAX, 0);
        Ok(())
    }

    /// Sends it, or does not; `WouldBlock` if there is no room.
    pub(super) fn attempt(&mut self, end: &End, patience: Patience) -> io::Result<()> {
        loop {
            match end.packets.send(&self.packet, &self.handles, patience) {
                // The queue is smaller than usual.
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge && !self.beside => self.put_beside()?,
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge && self.packet.len() > MESSAGE_HEAD_LEN => {
                    self.packet.truncate(MESSAGE_HEAD_LEN);
                }
                done => return done,
            }
        }
    }

    /// Sends it, and waits for room so long.
    pub(super) fn send(&mut self, end: &End, until: Until) -> Result<(), Error> {
        let patience = if let Until::Forever = until { Patience::Wait } else { Patience::Now };
        loop {
            match self.attempt(end, patience) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let has_room = match until {
                        Until::Now => false,
                        _ => sys::wait_to_send(&end.packets, until.deadline()).map_err(texts::not_sent)?,
                    };
                    if !has_room {
                        return Err(texts::full());
                    }
                }
                Err(error) => return Err(texts::not_sent(error)),
            }
        }
    }
}
