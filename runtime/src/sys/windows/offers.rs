//! Open handles and sockets that stay open here until somebody else has them. A thread waits for that, as long as there is
//! something to wait for.
//!
//! Those that go with a packet stay open in the process that sends them, which tells where they are; the receiver fetches
//! copies, as any process of a user may from any other one of the same, and sets an event when it has. Then they are closed
//! here; and also when nobody is left who could receive the packet. So they are lost with a process that ends before.
//!
//! **Which process that is, nobody can verify**: the system tells who has opened an end of a pipe, which is whoever has made the
//! queue, and not who has written a message. So a sender could name another process, and numbers of handles there. It gains
//! nothing by itself that it could not have: it is of the same user, or has fewer rights, and the handles go to the receiver. That one
//! could be made to use what is not meant for it; `docs/channel.md` says so. Rejected: a proof that the named process has an end of
//! the same queue (`CompareObjectHandles`), as the receiver itself has one, whose handles are worth most.
//!
//! **A socket cannot be fetched**: the process that has it must describe it for the other one (`socket`). So whoever is to have
//! sockets asks for them, through a pipe that it has got as it gets handles, and says which process it is; the thread
//! answers with a message for each socket, and a short one behind them. What was described and not asked for would stay
//! open over there; so it is never done ahead.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle, OwnedSocket};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, FILETIME, HANDLE};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION, SetEvent,
};

use super::handle::{check, event, is_signalled, opened, wait_for_one_of};
use super::operation::Operation;
use super::pipe::{self, Purpose};
use super::wait::{Waker, wait_for_any};
use super::{AnyHandle, socket};

/// How long a process that offers sockets may take to describe them: its thread does nothing else, but it may be stopped.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which process has handles to offer: its number, and when it began, as numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: u32,
    pub(super) began: u64,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> io::Result<Self> {
        // SAFETY: it has no preconditions, and returns a constant, which stands for a handle that is never closed.
        let this = unsafe { GetCurrentProcess() };
        Ok(Self { id: std::process::id(), began: began(this)? })
    }

    /// Opens the process; as long as it is open, its number is no other's. `None` if it is gone.
    fn open(self) -> Option<OwnedHandle> {
        // SAFETY: it reads nothing from memory of ours.
        let process = unsafe { OpenProcess(PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, 0, self.id) };
        // SAFETY: the handle was just made.
        let process = unsafe { opened(process) }.ok()?;
        (began(process.as_raw_handle()).ok()? == self.began).then_some(process)
    }
}

fn began(process: HANDLE) -> io::Result<u64> {
    let [mut began, mut ended, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the caller has the process open; the call writes to the four times.
    check(unsafe { GetProcessTimes(process, &raw mut began, &raw mut ended, &raw mut kernel, &raw mut user) })?;
    Ok(u64::from(began.dwHighDateTime) << 32 | u64::from(began.dwLowDateTime))
}

/// What is kept open for somebody.
struct Offer {
    handles: Vec<AnyHandle>,
    whom: Whom,
}

/// Who is to have them.
enum Whom {
    /// Whoever has the other end of this: the sockets are for one process.
    Holder(Desk),
    /// Whoever takes a packet out of a queue.
    Receiver {
        /// Set by the one who has them.
        taken: Arc<OwnedHandle>,
        /// Closed on the other side when nobody is left who could.
        pipe: Arc<OwnedHandle>,
        watching: Operation,
        /// If there are sockets; and the other end of it, for the receiver to fetch.
        desk: Option<(Desk, Arc<OwnedHandle>)>,
    },
}

/// Where somebody asks for sockets, once.
struct Desk {
    pipe: OwnedHandle,
    watching: Operation,
    working: Operation,
    has_served: bool,
}

/// What the thread is to take over, and how to tell it; `None` as long as there is none.
static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

struct Keeper {
    waker: Arc<Waker>,
    new: Vec<Offer>,
}

fn keeper() -> MutexGuard<'static, Option<Keeper>> {
    KEEPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An offer that can still be taken back.
pub(super) struct Offered {
    taken: Arc<OwnedHandle>,
    /// What tells the receiver of them: first the event.
    pub(super) numbers: Vec<u32>,
}

/// Offers handles to whoever reads from the pipe, which this end can read as well, and never gets anything from.
pub(super) fn offer(handles: &[Arc<AnyHandle>], pipe: &Arc<OwnedHandle>) -> io::Result<Offered> {
    let number = |handle: &Arc<OwnedHandle>| handle.as_raw_handle().addr() as u32;
    let taken = Arc::new(event()?);
    let mut numbers = vec![number(&taken)];
    let mut desk = None;
    if handles.iter().any(|handle| handle.socket().is_some()) {
        let (ours, theirs) = Desk::new()?;
        let theirs = Arc::new(theirs);
        numbers.push(number(&theirs));
        desk = Some((ours, theirs));
    }
    numbers.extend(handles.iter().map(|handle| handle.handle().map_or(socket::NO_NUMBER, number)));
    let (pipe, watching) = (Arc::clone(pipe), Operation::new()?);
    let handles = handles.iter().map(|handle| AnyHandle::clone(handle)).collect();
    keep(Offer { handles, whom: Whom::Receiver { taken: Arc::clone(&taken), pipe, watching, desk } })?;
    Ok(Offered { taken, numbers })
}

/// Offers sockets to the process that gets what is returned, and [asks](Asking) there.
pub(super) fn to_one(sockets: Vec<Arc<OwnedSocket>>) -> io::Result<OwnedHandle> {
    let (desk, theirs) = Desk::new()?;
    keep(Offer { handles: sockets.into_iter().map(AnyHandle::Socket).collect(), whom: Whom::Holder(desk) })?;
    Ok(theirs)
}

fn keep(offer: Offer) -> io::Result<()> {
    let mut keeper = keeper();
    if let Some(keeper) = &mut *keeper {
        keeper.new.push(offer);
        keeper.waker.wake();
    } else {
        let waker = Arc::new(Waker::new()?);
        let of_thread = Arc::clone(&waker);
        thread::Builder::new().name("spawnsafe-handles".into()).spawn(move || keep_all(&of_thread))?;
        *keeper = Some(Keeper { waker, new: vec![offer] });
    }
    Ok(())
}

impl Offered {
    /// The packet was not sent.
    pub(super) fn take_back(&self) {
        // SAFETY: the handle is open.
        unsafe { SetEvent(self.taken.as_raw_handle()) };
    }
}

/// What the thread does, until there is nothing to be kept.
fn keep_all(waker: &Waker) {
    let mut offers = Vec::new();
    loop {
        offers.extend(keeper().iter_mut().flat_map(|keeper| keeper.new.drain(..)));
        offers.retain_mut(Offer::is_open);
        if offers.is_empty() {
            let mut keeper = keeper();
            if keeper.as_ref().is_none_or(|keeper| keeper.new.is_empty()) {
                *keeper = None;
                return;
            }
            continue;
        }
        let events = offers.iter().flat_map(Offer::events);
        let events: Vec<_> = [waker.event()].into_iter().chain(events).collect();
        if wait_for_any(&events, None).is_err() {
            // Out of resources: try again.
            thread::sleep(Duration::from_millis(10));
        }
        waker.clear();
    }
}

impl Offer {
    /// Whether somebody may still have need of the handles; then one of the events says when that has changed, or there is
    /// something to do. Whatever cannot be watched cannot be kept.
    fn is_open(&mut self) -> bool {
        match &mut self.whom {
            Whom::Holder(desk) => desk.serve(&self.handles).is_ok(),
            Whom::Receiver { taken, pipe, watching, desk } => {
                let is_watched = || watching.watch_messages(pipe).is_ok();
                let mut serves = || desk.as_mut().is_none_or(|(desk, _)| desk.serve(&self.handles).is_ok());
                // Nothing comes from a receiver of this library; what comes all the same would be found again and again.
                let may_come = || matches!(pipe::available(pipe), Ok(Some(0)));
                !is_signalled(&**taken) && is_watched() && may_come() && serves()
            }
        }
    }

    fn events(&self) -> impl Iterator<Item = BorrowedHandle<'_>> {
        let (desk, others) = match &self.whom {
            Whom::Holder(desk) => (Some(desk), None),
            Whom::Receiver { taken, watching, desk, .. } => {
                (desk.as_ref().map(|(desk, _)| desk), Some([taken.as_handle(), watching.event()]))
            }
        };
        others.into_iter().flatten().chain(desk.map(|desk| desk.watching.event()))
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if let Whom::Receiver { pipe, watching, .. } = &self.whom {
            // Before the memory goes that the system writes to.
            watching.cancel(pipe);
        }
        self.handles.clear();
    }
}

impl Desk {
    /// With the end for whoever asks.
    fn new() -> io::Result<(Self, OwnedHandle)> {
        let (theirs, ours) = pipe::pair(Purpose::Watched)?;
        Ok((Self { pipe: ours, watching: Operation::new()?, working: Operation::new()?, has_served: false }, theirs))
    }

    /// Describes the sockets for whoever has asked. An error if nobody can ask any more, or need.
    fn serve(&mut self, handles: &[AnyHandle]) -> io::Result<()> {
        match pipe::available(&self.pipe)? {
            Some(0) => {}
            Some(REQUEST) if !self.has_served => self.answer(handles)?,
            // It has what it has asked for, or does not wait any more. Or it asks again: nobody of this library does, and each
            // time would be this thread's work, and open sockets elsewhere.
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        self.watching.watch_messages(&self.pipe)
    }

    fn answer(&mut self, handles: &[AnyHandle]) -> io::Result<()> {
        self.has_served = true;
        let mut request = [0; REQUEST];
        self.working.read_now(&self.pipe, &mut request)?;
        let asks = asking(request);
        let process = asks.open();
        for socket in handles.iter().filter_map(AnyHandle::socket) {
            let described = process.as_ref().and_then(|_| socket::describe(socket, asks.id).ok());
            self.working.write_now(&self.pipe, described.as_deref().unwrap_or(NONE))?;
        }
        self.working.write_now(&self.pipe, NONE).map(drop)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Before the memory goes that the system writes to.
        self.watching.cancel(&self.pipe);
    }
}

/// What is no description, and no request.
const NONE: &[u8] = &[0];

/// How a process that asks says which it is.
const REQUEST: usize = 12;

fn request(asking: Owner) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[..4].copy_from_slice(&asking.id.to_le_bytes());
    request[4..].copy_from_slice(&asking.began.to_le_bytes());
    request
}

fn asking(request: [u8; REQUEST]) -> Owner {
    let [a, b, c, d, began @ ..] = request;
    Owner { id: u32::from_le_bytes([a, b, c, d]), began: u64::from_le_bytes(began) }
}

/// Fetches what another process offers, or this one; `None` if it cannot be had, all of it.
pub(super) fn fetch(owner: Owner, numbers: &[u32]) -> Option<Vec<AnyHandle>> {
    let process = owner.open()?;
    let (&taken, numbers) = numbers.split_first()?;
    let taken = copy(&process, taken)?;
    let handles = fetch_all(&process, numbers);
    // SAFETY: the handle is open; of one that is no event the call says so.
    unsafe { SetEvent(taken.as_raw_handle()) };
    handles
}

fn fetch_all(process: &OwnedHandle, mut numbers: &[u32]) -> Option<Vec<AnyHandle>> {
    let mut asking = None;
    if numbers.contains(&socket::NO_NUMBER) {
        let (&desk, rest) = numbers.split_first()?;
        (asking, numbers) = (Some(Asking::at(copy(process, desk)?)?), rest);
    }
    let fetched = numbers.iter().map(|&number| match number {
        socket::NO_NUMBER => asking.as_ref()?.next().map(AnyHandle::from),
        number => copy(process, number).map(AnyHandle::from),
    });
    fetched.collect()
}

/// When whoever has others ask or [fetch](fetch) stops waiting: later than they do, if they can.
pub(super) fn limit() -> Instant {
    Instant::now() + PATIENCE + Duration::from_secs(5)
}

/// Asks for so many sockets at this pipe, which may take long if nobody answers. Gives those that come.
pub(super) fn ask(pipe: OwnedHandle, count: usize) -> Vec<OwnedSocket> {
    let Some(asking) = Asking::at(pipe) else { return Vec::new() };
    (0..count).map_while(|_| asking.next()).collect()
}

/// Whoever waits for sockets that are offered.
struct Asking {
    pipe: OwnedHandle,
    watching: Operation,
    reading: Operation,
    until: Instant,
}

impl Asking {
    /// `None` if this is no such pipe, or the process cannot be asked any more.
    fn at(pipe: OwnedHandle) -> Option<Self> {
        pipe::room_for_messages(&pipe, true)?;
        let (watching, reading) = (Operation::new().ok()?, Operation::new().ok()?);
        reading.write_now(&pipe, &request(Owner::this().ok()?)).ok()?;
        Some(Self { pipe, watching, reading, until: Instant::now() + PATIENCE })
    }

    /// The next of them; `None` if it cannot be had.
    fn next(&self) -> Option<OwnedSocket> {
        while pipe::available(&self.pipe).ok()?? == 0 {
            if Instant::now() >= self.until {
                return None;
            }
            self.watching.watch_messages(&self.pipe).ok()?;
            wait_for_one_of(&[self.watching.event()], Some(self.until)).ok()?;
        }
        let mut description = [0; socket::DESCRIPTION];
        let len = self.reading.read_now(&self.pipe, &mut description).ok()?;
        socket::open(&description[..len]).ok()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Before the memory goes that the system writes to.
        self.watching.cancel(&self.pipe);
        // There may be another handle to this end, in a process that has inherited it. Who is not there any more need not know.
        let _ = self.reading.write_now(&self.pipe, NONE);
    }
}

/// A copy of what has this number in that process, whatever it is.
fn copy(process: &OwnedHandle, number: u32) -> Option<OwnedHandle> {
    // Handles are multiples of four, and none is zero.
    let handle = Some(number).filter(|&number| number != 0 && number % 4 == 0)? as usize as HANDLE;
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    let mut copy = ptr::null_mut();
    // SAFETY: the process is open; what the other handle is the system looks up there. The call writes to `copy`.
    let done =
        unsafe { DuplicateHandle(process.as_raw_handle(), handle, this, &raw mut copy, 0, 0, DUPLICATE_SAME_ACCESS) };
    check(done).ok()?;
    // SAFETY: the call above has succeeded and made this handle.
    unsafe { opened(copy) }.ok()
}

#[cfg(test)]
mod tests;
