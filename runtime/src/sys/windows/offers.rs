//! Open handles that go with a packet to whoever receives it.
//!
//! They stay open in the process that sends them, which tells where they are; the receiver fetches copies, as any process of
//! a user may from any other one of the same, and sets an event when it has. Then they are closed here; and also when nobody
//! is left who could receive the packet. A thread waits for both, as long as there is something to wait for.
//!
//! So they are lost with a process that ends before they are fetched.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, FILETIME, HANDLE};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION, SetEvent,
};

use super::handle::{check, event, is_signalled, opened};
use super::operation::Operation;
use super::pipe;
use super::wait::{Waker, wait_for_any};

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
}

fn began(process: HANDLE) -> io::Result<u64> {
    let [mut began, mut ended, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the caller has the process open; the call writes to the four times.
    check(unsafe { GetProcessTimes(process, &raw mut began, &raw mut ended, &raw mut kernel, &raw mut user) })?;
    Ok(u64::from(began.dwHighDateTime) << 32 | u64::from(began.dwLowDateTime))
}

/// What is offered with one packet.
struct Offer {
    handles: Vec<Arc<OwnedHandle>>,
    /// Set by whoever has fetched them.
    taken: Arc<OwnedHandle>,
    /// Closed on the other side when nobody is left who could.
    pipe: Arc<OwnedHandle>,
    watching: Operation,
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
pub(super) fn offer(handles: &[Arc<OwnedHandle>], pipe: &Arc<OwnedHandle>) -> io::Result<Offered> {
    let taken = Arc::new(event()?);
    let numbers = [&taken].into_iter().chain(handles).map(|handle| handle.as_raw_handle().addr() as u32).collect();
    let (pipe, watching) = (Arc::clone(pipe), Operation::new()?);
    let offer = Offer { handles: handles.to_vec(), taken: Arc::clone(&taken), pipe, watching };
    let mut keeper = keeper();
    if let Some(keeper) = &mut *keeper {
        keeper.new.push(offer);
        keeper.waker.wake();
    } else {
        let waker = Arc::new(Waker::new()?);
        let of_thread = Arc::clone(&waker);
        thread::Builder::new().name("spawnsafe-handles".into()).spawn(move || keep(&of_thread))?;
        *keeper = Some(Keeper { waker, new: vec![offer] });
    }
    Ok(Offered { taken, numbers })
}

impl Offered {
    /// The packet was not sent.
    pub(super) fn take_back(&self) {
        // SAFETY: the handle is open.
        unsafe { SetEvent(self.taken.as_raw_handle()) };
    }
}

/// What the thread does, until there is nothing to be kept.
fn keep(waker: &Waker) {
    let mut offers = Vec::new();
    loop {
        {
            let mut keeper = keeper();
            offers.extend(keeper.iter_mut().flat_map(|keeper| keeper.new.drain(..)));
            offers.retain(Offer::is_open);
            if offers.is_empty() {
                *keeper = None;
                return;
            }
        }
        let events = offers.iter().flat_map(|offer| [offer.taken.as_handle(), offer.watching.event()]);
        let events: Vec<_> = [waker.event()].into_iter().chain(events).collect();
        if wait_for_any(&events, None).is_err() {
            // Out of resources: try again.
            thread::sleep(std::time::Duration::from_millis(10));
        }
        waker.clear();
    }
}

impl Offer {
    /// Whether somebody may still fetch the handles; then one of the two events says when that has changed.
    fn is_open(&self) -> bool {
        // Whatever cannot be watched cannot be kept.
        let is_watched = || self.watching.watch_messages(&self.pipe).is_ok();
        !is_signalled(&*self.taken) && is_watched() && matches!(pipe::available(&self.pipe), Ok(Some(_)))
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // Before the memory goes that the system writes to.
        self.watching.cancel(&self.pipe);
        self.handles.clear();
    }
}

/// Fetches what another process offers, or this one; `None` if it cannot be had, all of it.
pub(super) fn fetch(owner: Owner, numbers: &[u32]) -> Option<Vec<OwnedHandle>> {
    // SAFETY: it reads nothing from memory of ours.
    let process = unsafe { OpenProcess(PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, 0, owner.id) };
    // SAFETY: the handle was just made.
    let process = unsafe { opened(process) }.ok()?;
    if began(process.as_raw_handle()).ok()? != owner.began {
        return None;
    }
    let (&taken, numbers) = numbers.split_first()?;
    let taken = copy(&process, taken)?;
    let handles = numbers.iter().map(|&number| copy(&process, number)).collect();
    // SAFETY: the handle is open; of one that is no event the call says so.
    unsafe { SetEvent(taken.as_raw_handle()) };
    handles
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
mod tests {
    use std::fs::File;
    use std::time::{Duration, Instant};

    use super::super::pipe::Purpose;
    use super::*;

    fn file() -> Arc<OwnedHandle> {
        Arc::new(File::open(std::env::current_exe().unwrap()).unwrap().into())
    }

    /// That nobody but the test has it any more.
    fn is_given_up(handle: &Arc<OwnedHandle>) {
        let limit = Instant::now() + Duration::from_secs(60);
        while Arc::strong_count(handle) > 1 {
            assert!(Instant::now() < limit, "it is still kept");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_is_fetched_or_taken_back_or_for_nobody_is_not_kept() {
        let (receiver, pipe) = pipe::pair(Purpose::Watched).unwrap();
        let (file, pipe) = (file(), Arc::new(pipe));
        let offered = || offer(&[Arc::clone(&file), Arc::clone(&file)], &pipe).unwrap();
        let numbers = offered().numbers;
        thread::sleep(Duration::from_millis(20));
        assert_eq!(Arc::strong_count(&file), 3);
        assert_eq!(fetch(Owner::this().unwrap(), &numbers).unwrap().len(), 2);
        is_given_up(&file);
        offered().take_back();
        is_given_up(&file);
        let kept = [offered(), offered()];
        assert_eq!(Arc::strong_count(&file), 5);
        drop(receiver);
        is_given_up(&file);
        drop(kept);
        offered();
        is_given_up(&file);
    }

    #[test]
    fn what_nobody_offers_is_not_there() {
        let (_receiver, pipe) = pipe::pair(Purpose::Watched).unwrap();
        let offered = offer(&[file()], &Arc::new(pipe)).unwrap();
        let this = Owner::this().unwrap();
        assert!(fetch(Owner { began: this.began + 1, ..this }, &offered.numbers).is_none());
        assert!(fetch(Owner { id: 1, ..this }, &offered.numbers).is_none());
        for wrong in [0, 3, 0x7FFF_FFFC, u32::MAX, u32::MAX - 3] {
            assert!(fetch(this, &[wrong]).is_none());
            assert!(fetch(this, &[offered.numbers[0], wrong]).is_none());
        }
        assert!(fetch(this, &[]).is_none());
    }
}
