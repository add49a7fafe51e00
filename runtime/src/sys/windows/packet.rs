//! A queue of packets between any processes: a pipe that keeps messages whole, whoever writes beside whom and whoever is
//! killed meanwhile.
//!
//! A packet goes through it as one message, whose form is in `message`.
//!
//! **What was stored goes through a second pipe**, which takes all that is written to it; the first one keeps the account, in
//! which each counts as much as the longest packet. A mutex among those who send such makes their order in both pipes the
//! same. They are numbered by a clock that all processes have in common. So a receiver knows what to do where somebody was
//! killed in between: bytes with a lower number belong to a packet that is gone, and are dropped; if those with its number are
//! not there while nobody holds the mutex, it was never sent. Receivers have a mutex of their own: who has taken a packet
//! takes what goes with it before anybody else reads.
//!
//! **Room cannot be waited for**, except by a write that then is one. Whoever waits with a limit looks again now and then.
//!
//! **Other handles and sockets are fetched from their sender** (`offers`), as who will receive a packet is not known when it
//! is sent. A packet whose sender has ended meanwhile comes without them.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::System::Performance::QueryPerformanceCounter;

use super::aside::{self, Aside};
use super::handle::{check, wait_for_one_of};
use super::message::{self, Message};
use super::mutex::SharedMutex;
use super::offers::{self, Owner};
use super::operation::Operation;
use super::pipe::{self, Purpose};
use super::stored::{self, Leaving};
use super::wait::wait_for_any;
use super::{AnyHandle, socket};
use crate::sys::{Packet, Patience, time_left};

/// The least room of a queue, and the most, in bytes.
const ROOM: std::ops::RangeInclusive<usize> = 4608..=1 << 30;

/// How long it may take to find out what the pipes of an end are that comes from another process. For ours it takes no time.
const ADOPTION: Duration = Duration::from_secs(10);

/// How long a sender may take between a packet and what was stored for it: it copies up to 4 GiB, and may be stopped.
const STORING: Duration = Duration::from_secs(30);

/// How long whoever has taken a packet with sockets waits for them, even if it does not wait for packets.
const MOMENT: Duration = Duration::from_millis(100);

/// How long whoever waits for room with a limit sleeps before it looks again.
pub(super) const AGAIN: Duration = Duration::from_millis(2);

/// One end of a queue. A clone is the same end: the other side sees the end when the last one is gone, in whatever
/// process it was.
#[derive(Clone, Debug)]
pub(crate) struct PacketEnd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    packets: Arc<OwnedHandle>,
    beside: Arc<OwnedHandle>,
    /// How many bytes the queue holds.
    room: usize,
    /// Held by whoever sends what was stored.
    sending: SharedMutex,
    /// Of the end that receives.
    receiving: Option<Receiving>,
    /// Those that nobody uses just now.
    operations: Mutex<Vec<Operation>>,
}

#[derive(Debug)]
struct Receiving {
    mutex: SharedMutex,
    /// Tells that there is a packet. All threads of this process share it.
    watching: Operation,
    /// A place for one packet, which is used again.
    scratch: Mutex<Vec<u8>>,
    /// What was taken, and has sockets that are not here yet: the next packet, whoever receives. It is lost with this end,
    /// as is whatever somebody has taken who ends; so the end does not [travel](PacketEnd::handles) meanwhile.
    coming: Mutex<Option<Coming>>,
}

#[derive(Debug)]
struct Coming {
    packet: Packet,
    bytes: Vec<u8>,
    handles: Aside<Option<Vec<AnyHandle>>>,
}

impl PacketEnd {
    /// A new queue: the end to send from, and the one to receive from. About `capacity` bytes can wait in it.
    pub(crate) fn pair(capacity: usize) -> io::Result<(Self, Self)> {
        // Twice, as on Linux: whoever counts on what that holds finds it here.
        let room = capacity.saturating_mul(2).clamp(*ROOM.start(), *ROOM.end());
        let (to, from) = pipe::pair(Purpose::Messages(room as u32))?;
        let (beside_to, beside_from) = pipe::pair(Purpose::Watched)?;
        let sending = SharedMutex::new()?;
        let receiving = Receiving::new(SharedMutex::new()?)?;
        let sender = Inner::new(from, beside_from, room, sending.share(), None);
        Ok((Self(Arc::new(sender)), Self(Arc::new(Inner::new(to, beside_to, room, sending, Some(receiving))))))
    }

    /// What must travel for the end to travel. An error if a packet was taken that waits for its sockets: it would be lost if
    /// this end is not kept, and nobody says here whether it is.
    pub(crate) fn handles(&self) -> io::Result<Vec<Arc<AnyHandle>>> {
        let Inner { packets, beside, sending, receiving, .. } = &*self.0;
        if receiving.as_ref().is_some_and(|receiving| receiving.coming().is_some()) {
            let message = "a message with sockets is on its way to this end of the channel: receive it first";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let mutex = receiving.as_ref().map(|receiving| receiving.mutex.handle());
        let all = [packets.clone(), beside.clone(), sending.handle()].into_iter().chain(mutex);
        Ok(all.map(|handle| Arc::new(handle.into())).collect())
    }

    /// The end from what has travelled; `None` if that is something else.
    pub(crate) fn from_handles(handles: Vec<AnyHandle>) -> Option<Self> {
        let receives = handles.len() == 4;
        let handles: Vec<_> = handles.into_iter().map(AnyHandle::into_handle).collect::<io::Result<_>>().ok()?;
        let mut handles = handles.into_iter();
        let pipes = (handles.next()?, handles.next()?);
        let (packets, beside, room) = aside::within(Instant::now() + ADOPTION, move || {
            let (packets, beside) = pipes;
            let room = pipe::room_for_messages(&packets, receives)?;
            pipe::room_for_messages(&beside, receives)?;
            Some((packets, beside, room))
        })??;
        let sending = SharedMutex::from_handle(handles.next()?)?;
        let receiving = match handles.next() {
            Some(mutex) => Some(Receiving::new(SharedMutex::from_handle(mutex)?).ok()?),
            None => None,
        };
        let ends = handles.next().is_none();
        ends.then(|| Self(Arc::new(Inner::new(packets, beside, room as usize, sending, receiving))))
    }

    /// Sends one packet, which must not be empty. `WouldBlock` if there is no room, `BrokenPipe` if nobody can receive
    /// it, `FileTooLarge` if no packet of this queue can be that long.
    pub(crate) fn send(&self, packet: &[u8], handles: &[Arc<AnyHandle>], patience: Patience) -> io::Result<()> {
        let stored = handles.first().and_then(|first| Leaving::of(first));
        let others = if stored.is_some() { &handles[1..] } else { handles };
        let mut message = Message::new(packet);
        if others.is_empty() {
            return self.0.send(message, stored, patience);
        }
        message.owner = Owner::this()?;
        let offered = offers::offer(others, &self.0.beside)?;
        message.numbers.clone_from(&offered.numbers);
        let sent = self.0.send(message, stored, patience);
        if sent.is_err() {
            offered.take_back();
        }
        sent
    }

    /// Takes the next packet into the buffer. `None` if there is none, and nobody is left who could send one;
    /// `WouldBlock` if there is none yet. What cannot be had of its handles is lost, and the rest as well.
    pub(crate) fn receive(&self, buffer: &mut [u8], patience: Patience) -> io::Result<Option<Packet>> {
        loop {
            match self.0.receive(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience == Patience::Wait => {
                    wait_to_receive(&[self], None)?;
                }
                done => return done,
            }
        }
    }

    /// Whether there is a packet; `false` if nobody is left who could send one, and `WouldBlock` if there is none yet.
    pub(crate) fn has_packet(&self) -> io::Result<bool> {
        let available = match &*self.0.receiving()?.coming() {
            Some(coming) => Some(usize::from(coming.handles.is_over())),
            None => pipe::available(&self.0.packets)?,
        };
        match available {
            None => Ok(false),
            Some(0) => Err(io::ErrorKind::WouldBlock.into()),
            Some(_) => Ok(true),
        }
    }

    /// The event that is set when there may be a packet, or nobody is left who could send one. It is reset by the next call.
    pub(super) fn watch(&self) -> io::Result<BorrowedHandle<'_>> {
        let receiving = self.0.receiving()?;
        let coming = receiving.coming();
        // Its handles set the same event when they are here.
        if coming.is_none() {
            receiving.watching.watch_messages(&self.0.packets)?;
        }
        Ok(receiving.watching.event())
    }
}

impl Receiving {
    fn new(mutex: SharedMutex) -> io::Result<Self> {
        Ok(Self { mutex, watching: Operation::new()?, scratch: Mutex::default(), coming: Mutex::default() })
    }

    fn coming(&self) -> MutexGuard<'_, Option<Coming>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A packet that nobody else can receive, and what its sender offers with it.
struct Taken {
    packet: Packet,
    owner: Owner,
    numbers: Vec<u32>,
}

impl Taken {
    /// What is no packet of ours.
    fn nothing(is_cut: bool) -> Self {
        let packet = Packet { len: 0, handles: Vec::new(), lacks_handles: false, is_cut };
        Self { packet, owner: Owner { id: 0, began: 0 }, numbers: Vec::new() }
    }
}

/// The packet with what was fetched.
fn complete(mut packet: Packet, fetched: Option<Vec<AnyHandle>>) -> Packet {
    match fetched {
        Some(handles) if !packet.lacks_handles => packet.handles.extend(handles),
        _ => packet.lacks_handles = true,
    }
    packet
}

impl Inner {
    fn new(
        packets: OwnedHandle,
        beside: OwnedHandle,
        room: usize,
        sending: SharedMutex,
        receiving: Option<Receiving>,
    ) -> Self {
        let (packets, beside) = (Arc::new(packets), Arc::new(beside));
        Self { packets, beside, room, sending, receiving, operations: Mutex::default() }
    }

    fn receiving(&self) -> io::Result<&Receiving> {
        self.receiving.as_ref().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Lends an operation, of which each is for one use at a time. None is pending afterwards.
    fn operate<R>(&self, action: impl FnOnce(&Operation) -> io::Result<R>) -> io::Result<R> {
        let idle = || self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let operation = kept.map_or_else(Operation::new, Ok)?;
        let done = action(&operation);
        idle().push(operation);
        done
    }

    fn write(&self, pipe: &OwnedHandle, message: &[u8], patience: Patience) -> io::Result<()> {
        let written = self.operate(|operation| match patience {
            Patience::Wait => operation.write(pipe, message),
            Patience::Now => operation.write_now(pipe, message),
        });
        match written {
            Ok(count) if count == message.len() => Ok(()),
            Ok(_) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if pipe::has_no_reader(&error) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) => Err(error),
        }
    }

    fn send(&self, message: Message<'_>, stored: Option<Leaving>, patience: Patience) -> io::Result<()> {
        let encoded = message.encode();
        if encoded.len() > self.room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let Some(mut stored) = stored else { return self.write(&self.packets, &encoded, patience) };
        loop {
            match self.send_stored(message.clone(), &mut stored) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience == Patience::Wait => {
                    thread::sleep(AGAIN);
                }
                done => return done,
            }
        }
    }

    fn send_stored(&self, message: Message<'_>, stored: &mut Leaving) -> io::Result<()> {
        let _held = self.sending.lock()?;
        let id = now()?;
        self.write(&self.packets, &Message { stored: id, ..message }.encode(), Patience::Now)?;
        self.write(&self.beside, stored.message(id), Patience::Wait)
    }

    /// As [`PacketEnd::receive`], without waiting. The sender of sockets has to describe them, and may be stopped, or
    /// pleased to wait: it is given a moment, as it hardly ever takes longer, and then the packet is as one that has not come
    /// yet. Others of this process do not receive meanwhile, so that packets stay in their order.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Packet>> {
        let receiving = self.receiving()?;
        let mut coming = receiving.coming();
        if coming.is_none() {
            let taken = {
                let held = receiving.mutex.lock()?;
                let taken = self.take(receiving, buffer);
                drop(held);
                taken?
            };
            let Some(Taken { packet, owner, numbers }) = taken else { return Ok(None) };
            if numbers.is_empty() {
                return Ok(Some(packet));
            }
            if !numbers.contains(&socket::NO_NUMBER) {
                return Ok(Some(complete(packet, offers::fetch(owner, &numbers))));
            }
            // From now on it is set by whoever fetches, and not by what is in the pipe.
            receiving.watching.cancel(&self.packets);
            let bell = receiving.watching.event();
            let fetch = move || offers::fetch(owner, &numbers);
            let handles = bell.try_clone_to_owned().and_then(|bell| Aside::begin(bell, offers::limit(), fetch));
            let Ok(handles) = handles else {
                // This process may have no more threads. Others of it wait for the next packet.
                receiving.watching.watch_messages(&self.packets)?;
                return Ok(Some(complete(packet, None)));
            };
            *coming = Some(Coming { bytes: buffer[..packet.len].to_vec(), packet, handles });
            wait_for_one_of(&[bell], Some(Instant::now() + MOMENT))?;
        }
        let fetched = coming.as_ref().and_then(|coming| coming.handles.take()).ok_or(io::ErrorKind::WouldBlock)?;
        Ok(coming.take().map(|Coming { mut packet, bytes, .. }| {
            packet.len = bytes.len().min(buffer.len());
            packet.is_cut |= packet.len < bytes.len();
            buffer[..packet.len].copy_from_slice(&bytes[..packet.len]);
            complete(packet, fetched.flatten())
        }))
    }

    /// Takes a packet, and what goes with it. No other receiver reads meanwhile.
    fn take(&self, receiving: &Receiving, buffer: &mut [u8]) -> io::Result<Option<Taken>> {
        let mut scratch = receiving.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        scratch.resize(message::greatest_len(buffer.len()), 0);
        loop {
            match pipe::available(&self.packets)? {
                None => return Ok(None),
                Some(0) => return Err(io::ErrorKind::WouldBlock.into()),
                Some(_) => {}
            }
            // Unless its sender, which has waited for room, takes it back now.
            let message = match self.operate(|operation| operation.read_now(&self.packets, &mut scratch)) {
                Ok(count) => Message::decode(&scratch[..count]),
                Err(error) if pipe::is_part(&error) => {
                    self.drop_rest(&self.packets)?;
                    return Ok(Some(Taken::nothing(true)));
                }
                Err(error) if pipe::is_closed(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            // What is none of ours goes on as one that is none either.
            let Some(message) = message else {
                return Ok(Some(Taken::nothing(false)));
            };
            let len = message.packet.len().min(buffer.len());
            buffer[..len].copy_from_slice(&message.packet[..len]);
            let is_cut = len < message.packet.len();
            let mut packet = Packet { len, handles: Vec::new(), lacks_handles: false, is_cut };
            if message.stored != 0 {
                match self.take_stored(message.stored, Instant::now() + STORING) {
                    Ok(Some(stored)) => packet.handles.push(stored),
                    // It was never sent.
                    Ok(None) => continue,
                    Err(_) => packet.lacks_handles = true,
                }
            }
            return Ok(Some(Taken { packet, owner: message.owner, numbers: message.numbers }));
        }
    }

    /// What goes with the packet that was taken last; `None` if its sender was killed before it had sent that. An error if
    /// somebody is still about to at the deadline.
    fn take_stored(&self, id: u64, deadline: Instant) -> io::Result<Option<AnyHandle>> {
        let mut is_over = false;
        loop {
            let Some(1..) = pipe::available(&self.beside)? else {
                if is_over {
                    return Ok(None);
                }
                if Instant::now() >= deadline {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // What nobody is about to send is there or will not come.
                is_over = self.sending.lock_within(10)?.is_some();
                continue;
            };
            match self.next_id()? {
                Some(other) if other > id => return Ok(None),
                Some(other) if other == id => {
                    let len = pipe::message_len(&self.beside)?;
                    let read = |into: &mut [u8]| self.operate(|operation| operation.read_now(&self.beside, into));
                    return stored::arrive(len, read).map(Some);
                }
                // Its receiver was killed; or it is none of ours.
                _ => self.drop_rest(&self.beside)?,
            }
        }
    }

    /// The number at the head of what was stored, which stays where it is.
    fn next_id(&self) -> io::Result<Option<u64>> {
        let mut id = [0; 8];
        let count = pipe::look(&self.beside, &mut id)?;
        Ok((count == id.len()).then(|| u64::from_le_bytes(id)))
    }

    /// Drops what is left of a message.
    fn drop_rest(&self, pipe: &OwnedHandle) -> io::Result<()> {
        let mut nothing = vec![0; 64 << 10];
        loop {
            match self.operate(|operation| operation.read_now(pipe, &mut nothing)) {
                Err(error) if pipe::is_part(&error) => {}
                Ok(_) => return Ok(()),
                Err(error) if pipe::is_closed(&error) || error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Before the memory goes that the system writes to.
        self.receiving.iter().for_each(|receiving| receiving.watching.cancel(&self.packets));
    }
}

/// Later than whatever any process has had before, as only one at a time asks, and does much in between.
fn now() -> io::Result<u64> {
    let mut count = 0;
    // SAFETY: the call writes to `count`.
    check(unsafe { QueryPerformanceCounter(&raw mut count) })?;
    Ok(count.unsigned_abs())
}

/// Waits until there may be room in the queue or nobody can receive any more; or the deadline has passed.
pub(crate) fn wait_to_send(_: &PacketEnd, deadline: Option<Instant>) -> io::Result<bool> {
    thread::sleep(time_left(deadline).map_or(AGAIN, |left| left.min(AGAIN)));
    Ok(time_left(deadline) != Some(Duration::ZERO))
}

/// Waits until one of the ends has a packet or nobody is left who could send one, or the deadline has passed. Tells for
/// each of them whether it is so.
pub(crate) fn wait_to_receive(ends: &[&PacketEnd], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    loop {
        // First, so that nothing comes unseen.
        let mut events = ends.iter().map(|end| end.watch()).collect::<io::Result<Vec<_>>>()?;
        let ready = ends.iter().map(|end| match end.has_packet() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            found => found.map(|_| true),
        });
        let ready = ready.collect::<io::Result<Vec<_>>>()?;
        if ready.contains(&true) || time_left(deadline) == Some(Duration::ZERO) {
            return Ok(ready);
        }
        // Clones have one event.
        let mut seen = HashSet::new();
        events.retain(|event| seen.insert(event.as_raw_handle()));
        wait_for_any(&events, deadline)?;
    }
}

#[cfg(test)]
mod tests;
