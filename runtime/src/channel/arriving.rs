//! A message on its way in, whatever it is to be.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::{End, Until, texts};
use crate::error::Error;
use crate::sys::{self, Packet, Patience, Stored};
use crate::wire::{Arrived, Attachment, MessageHead, PACKET_MAX};

/// The bytes of one message, and what has come with them.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) items: Vec<u8>,
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) attachments: Vec<Arrived>,
}

/// What an attempt to receive gives.
#[derive(Debug)]
pub(super) enum Taken {
    /// A message, or what is none.
    Message(Result<Message, Error>),
    /// There is none, and nobody is left who could send one.
    Closed,
}

/// A place for one packet, which is used again.
#[derive(Default)]
pub(super) struct Scratch(Mutex<Option<Box<[u8]>>>);

impl Scratch {
    /// Two that use it at the same time have one each.
    fn with<R>(&self, action: impl FnOnce(&mut [u8]) -> R) -> R {
        let kept = self.place().take();
        let mut buffer = kept.unwrap_or_else(|| vec![0; PACKET_MAX].into_boxed_slice());
        let result = action(&mut buffer);
        *self.place() = Some(buffer);
        result
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<Box<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

/// Takes the next message; `WouldBlock` if there is none yet.
pub(super) fn attempt(end: &End, scratch: &Scratch, patience: Patience) -> io::Result<Taken> {
    scratch.with(|buffer| {
        Ok(match end.packets.receive(buffer, patience)? {
            None => Taken::Closed,
            Some(packet) => Taken::Message(open(packet, buffer, end.max_message)),
        })
    })
}

/// Takes the next message, and waits for one so long. `None` if none has come.
pub(super) fn receive(end: &End, scratch: &Scratch, until: Until) -> Result<Option<Message>, Error> {
    let patience = if let Until::Forever = until { Patience::Wait } else { Patience::Now };
    loop {
        match attempt(end, scratch, patience) {
            Ok(Taken::Message(message)) => return message.map(Some),
            Ok(Taken::Closed) => return Err(texts::no_sender()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let is_there = match until {
                    Until::Now => false,
                    _ => sys::wait_to_receive(&[&end.packets], until.deadline()).map_err(texts::not_received)?[0],
                };
                if !is_there {
                    return Ok(None);
                }
            }
            Err(error) => return Err(texts::not_received(error)),
        }
    }
}

/// The message that a packet is or refers to.
fn open(packet: Packet, buffer: &[u8], max_message: u64) -> Result<Message, Error> {
    let Packet { len, handles, lacks_handles, is_cut } = packet;
    let bytes = buffer.get(..len).filter(|_| !is_cut).ok_or_else(|| texts::garbage("it is too long for a packet"))?;
    let (head, items) = MessageHead::decode(bytes).ok_or_else(|| texts::garbage("its head is not ours"))?;
    let announced = usize::from(head.handles);
    if handles.len() > announced || (handles.len() < announced && !lacks_handles) {
        return Err(texts::garbage("it has come with another number of handles than it says"));
    }
    let mut handles = handles.into_iter();
    let (items, blobs) = if head.beside {
        let memory = handles.next().ok_or_else(texts::beside_is_missing)?;
        read_beside(head, memory, max_message)?
    } else {
        (items.to_vec(), Vec::new())
    };
    let mut attachments: Vec<Arrived> = handles.map(|handle| Some(Attachment::new(Arc::new(handle)))).collect();
    attachments.resize(announced - usize::from(head.beside), None);
    Ok(Message { items, blobs, attachments })
}

/// The items and blobs of a message that is in memory of its own.
fn read_beside(
    head: MessageHead,
    memory: sys::OwnedHandle,
    max_message: u64,
) -> Result<(Vec<u8>, Vec<Vec<u8>>), Error> {
    let mut memory = Stored::open(memory).map_err(texts::beside_is_damaged)?;
    let len = memory.len();
    // The lengths of blobs are not counted.
    let allowed = max_message.saturating_add(8 * u64::from(head.blobs));
    if len > allowed {
        return Err(texts::arrived_too_long(len, max_message));
    }
    let read = |memory: &mut Stored| -> io::Result<_> {
        let mut left = len;
        let items = take(memory, head.len, &mut left)?;
        let mut blobs = Vec::new();
        for _ in 0..head.blobs {
            let len = take(memory, 8, &mut left)?;
            let len = u64::from_le_bytes(*len.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?);
            blobs.push(take(memory, len, &mut left)?);
        }
        if left == 0 { Ok((items, blobs)) } else { Err(io::ErrorKind::InvalidData.into()) }
    };
    read(&mut memory).map_err(texts::beside_is_damaged)
}

/// Reads that many bytes, if so many are left.
fn take(from: &mut impl Read, len: u64, left: &mut u64) -> io::Result<Vec<u8>> {
    *left = left.checked_sub(len).ok_or(io::ErrorKind::UnexpectedEof)?;
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let start = bytes.as_ptr();
    sys::advise_large(start..start.wrapping_add(bytes.capacity()));
    from.take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
