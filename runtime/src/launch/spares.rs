//! Processes that were started ahead of time and wait for a call: `prewarm`.
//!
//! A spare is a child like any other, up to where it would read its call. What it gets later is what travels anyway
//! (arguments, inherited statics, directory, name), and its standard streams, whose descriptors go over the connection. All
//! else it has from its start. So it is taken for a call only if a process that is started for that call now would have the
//! same ([`Origin`]): the same environment and all of what [`Inherited`] lists. Otherwise the call starts a process of its own,
//! and nobody can tell the difference but by the time it takes.
//!
//! The environment could be sent and set as well. But what runs before `main` has read it by then, the dynamic loader,
//! the allocator, constructors of libraries (OpenMP's counts its threads there): such a child would be another one.
//!
//! A thread of its own, the keeper, starts spares, notices those that die, and replaces those that have become different from
//! what would be started now. It lives as long as spares are wanted.

use std::ffi::OsString;
use std::io::{self, IoSlice, Read as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::exec::{Executed, Execution, execute};
use super::{Environment, Launched, Order, Peer};
use crate::link::Outbox;
use crate::registry::Dispatch;
use crate::sys::{self, Inherited, Interest, Streams, Waker, Watch};
use crate::wire::{ALERT, Kind, Packed, READY};

/// How long a spare may take to wake up. One that is stopped never does.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the keeper lets go by after a spare was taken: the call that has taken it needs a processor first.
const REFILL_AFTER: Duration = Duration::from_millis(1);

/// How long the keeper waits before it replaces spares that die, and cannot be started, again and again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How many are wanted: looked at before each start, and not behind the lock, for the many programs that want none.
static WANTED: AtomicUsize = AtomicUsize::new(0);

static SPARES: Mutex<Spares> =
    Mutex::new(Spares { process: 0, wanted: 0, waiting: Vec::new(), keeper: None, refills: false });

struct Spares {
    /// Whose they are: they are not those of a copy of this process that the user has forked.
    process: u32,
    wanted: usize,
    /// The oldest first.
    waiting: Vec<Spare>,
    keeper: Option<Arc<Waker>>,
    /// Whether the keeper's timer is set, for one that was taken.
    refills: bool,
}

/// A process that waits for a call. It is ended with this.
struct Spare {
    /// `None` once it was taken.
    executed: Option<Executed>,
    origin: Origin,
    /// How often it was woken and has not yet said so.
    alerts: usize,
}

/// What a process has from its start, and nobody can give it later.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    inherited: Inherited,
    environment: Vec<(OsString, OsString)>,
}

/// Keeps that many. On systems where nobody can tell what a process would inherit, none is kept.
pub(crate) fn keep(count: usize, dispatch: Dispatch) -> io::Result<()> {
    if Inherited::now().is_err_and(|error| error.kind() == io::ErrorKind::Unsupported) {
        return Ok(());
    }
    let mut spares = lock();
    if spares.keeper.is_none() && count > 0 {
        let waker = Arc::new(Waker::with_timer()?);
        let keeper = Arc::clone(&waker);
        let thread = std::thread::Builder::new().name("spawnsafe-keeper".into()).stack_size(128 << 10);
        sys::with_signals_blocked(|| thread.spawn(move || keep_up(&keeper, dispatch)))?;
        spares.keeper = Some(waker);
    }
    spares.wanted = count;
    WANTED.store(count, Ordering::Release);
    let too_many = spares.waiting.len().saturating_sub(count);
    let gone: Vec<_> = spares.waiting.drain(..too_many).collect();
    spares.wake_keeper();
    drop(spares);
    drop(gone);
    Ok(())
}

/// Gives the order to a spare, if there is one that will do: then nothing is left of the order.
///
/// The spare is woken first, as that takes about as long as finding out whether it will do. And that it says so is the proof
/// that it has not died while it waited, or is about to: until then the call is not sent, and can be given to another.
pub(super) fn launch(order: &mut Order) -> Option<io::Result<Launched>> {
    if WANTED.load(Ordering::Acquire) == 0 || order.shared.is_some() || !order.environment.is_the_parents() {
        return None;
    }
    let mut origin = None;
    loop {
        let mut spare = lock().take(origin.as_ref())?;
        let is_awake = spare.alert();
        if origin.is_none() {
            origin = Origin::now().ok();
        }
        let streams = Streams::of([&order.stdin, &order.stdout, &order.stderr]);
        let (Some(origin), Ok(streams)) = (&origin, streams) else {
            lock().put_back(spare);
            return None;
        };
        if spare.origin != *origin {
            // It does for another thread, or for none any more: the keeper sees to that.
            lock().put_back(spare);
        } else if is_awake && spare.is_ready() {
            if let Some(launched) = spare.hand_over(&mut order.outbox, streams) {
                return Some(launched);
            }
            give_up(spare);
        } else {
            give_up(spare);
        }
    }
}

/// Has one replaced that has died, or does not wake up.
fn give_up(spare: Spare) {
    drop(spare);
    lock().wake_keeper();
}

fn lock() -> MutexGuard<'static, Spares> {
    let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    if spares.process != here {
        // They are another process's, and not for this one to end.
        std::mem::take(&mut spares.waiting).into_iter().for_each(|mut spare| drop(spare.executed.take()));
        WANTED.store(0, Ordering::Release);
        *spares = Spares { process: here, wanted: 0, waiting: Vec::new(), keeper: None, refills: false };
    }
    spares
}

impl Spares {
    /// The oldest one; of this origin, if that is known.
    fn take(&mut self, origin: Option<&Origin>) -> Option<Spare> {
        let index = self.waiting.iter().position(|spare| origin.is_none_or(|origin| spare.origin == *origin))?;
        Some(self.waiting.remove(index))
    }

    fn put_back(&mut self, spare: Spare) {
        self.waiting.insert(0, spare);
        self.wake_keeper();
    }

    /// One was taken. To wake the keeper now would take a processor from the call that has taken it.
    fn refill_later(&mut self) {
        if let (Some(keeper), false) = (&self.keeper, self.refills) {
            self.refills = true;
            keeper.wake_after(REFILL_AFTER);
        }
    }

    fn wake_keeper(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.wake();
        }
    }
}

impl Origin {
    /// What a process would have that this thread starts now.
    fn now() -> io::Result<Self> {
        Ok(Self { inherited: Inherited::now()?, environment: Environment::default().variables()? })
    }
}

impl Spare {
    fn start(dispatch: Dispatch) -> io::Result<Self> {
        let origin = Origin::now()?;
        let name = Packed { items: sys::process_name().into_bytes(), ..Packed::default() };
        let order = Order::in_background(dispatch, Outbox::new(Kind::Spare, &[], name));
        let Execution { executed, .. } = execute(order)?;
        let spare = Self { executed: Some(executed), origin, alerts: 0 };
        // What another thread has changed meanwhile, the process may have or not.
        if Origin::now()? == spare.origin { Ok(spare) } else { Err(io::ErrorKind::Interrupted.into()) }
    }

    /// Wakes it. `false` if it has died.
    fn alert(&mut self) -> bool {
        self.alerts += 1;
        let stream = self.executed.as_ref().and_then(|executed| executed.stream().ok());
        stream.is_some_and(|stream| stream.write(&[IoSlice::new(&[ALERT])], &[]).is_ok())
    }

    /// Waits until it is awake. `false` if it does not say so.
    fn is_ready(&mut self) -> bool {
        let Some(executed) = &mut self.executed else { return false };
        let until = Instant::now() + PATIENCE;
        executed.is_up();
        while self.alerts > 0 {
            let mut word = [0];
            match executed.read(&mut word) {
                Ok(1) if word == [READY] => self.alerts -= 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                    match executed.wait(Some(Interest::Read), Some(until)) {
                        Ok(ready) if ready.stream || !ready.ended => {}
                        _ => return false,
                    }
                }
                _ => return false,
            }
        }
        true
    }

    /// Gives it its streams and then the call. `None`, and nothing of the call is gone, if it has died.
    fn hand_over(&mut self, call: &mut Outbox, streams: Streams<'_>) -> Option<io::Result<Launched>> {
        let stream = self.executed.as_ref()?.stream().ok()?;
        streams.send(stream).ok()?;
        let mut outbox = std::mem::take(call);
        stream.prepare_to_write(outbox.len());
        let sent = outbox.pump(|pieces, handles| stream.write(pieces, handles));
        lock().refill_later();
        match sent {
            // From here on it is a child that has died.
            Err(error) if !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                return Some(Err(error));
            }
            _ => {}
        }
        let mut peer = Box::new(self.executed.take()?);
        peer.is_up();
        Some(Ok(Launched { peer, piped: streams.into_parent_ends(), outbox, shared: None }))
    }

    fn has_ended(&mut self) -> bool {
        self.executed.as_mut().is_none_or(|executed| !matches!(executed.try_wait(), Ok(None)))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(executed) = &mut self.executed {
            end(executed);
        }
    }
}

fn end(executed: &mut Executed) {
    while let Ok(None) = executed.try_wait() {
        // If the system refuses, it is waited for all the same.
        let _ = executed.kill();
        if executed.wait(None, None).is_err() {
            break;
        }
    }
}

/// The life of the keeper.
fn keep_up(waker: &Arc<Waker>, dispatch: Dispatch) {
    let mut pause = Duration::ZERO;
    loop {
        let Some((missing, died)) = inspect(waker) else { return };
        let failed = died | (0..missing).any(|_| !start_one(waker, dispatch));
        pause = if failed { (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) } else { Duration::ZERO };
        if failed {
            std::thread::sleep(pause);
            continue;
        }
        let watches: Vec<Watch> =
            lock().waiting.iter().filter_map(|spare| Some(spare.executed.as_ref()?.watch())).collect();
        if sys::wait_any(watches.iter(), waker, None).is_err() {
            std::thread::sleep(FIRST_PAUSE);
        }
        if !lock().refills {
            std::thread::sleep(REFILL_AFTER);
        }
    }
}

/// Ends and reaps what will not do any more. Tells how many are missing, and whether some have died by themselves; `None` if
/// the keeper is to end.
fn inspect(waker: &Arc<Waker>) -> Option<(usize, bool)> {
    // Without it none of those that wait can be judged, and none be started.
    let origin = Origin::now().ok();
    let mut spares = lock();
    if !spares.keeper.as_ref().is_some_and(|keeper| Arc::ptr_eq(keeper, waker)) {
        return None;
    }
    spares.refills = false;
    if spares.wanted == 0 {
        spares.keeper = None;
        return None;
    }
    let (mut kept, mut gone, mut died) = (Vec::new(), Vec::new(), false);
    for mut spare in std::mem::take(&mut spares.waiting) {
        let has_ended = spare.has_ended();
        died |= has_ended;
        let is_stale = origin.as_ref().is_some_and(|origin| *origin != spare.origin);
        if has_ended || is_stale { &mut gone } else { &mut kept }.push(spare);
    }
    spares.waiting = kept;
    let missing = spares.wanted.saturating_sub(spares.waiting.len());
    drop(spares);
    drop(gone);
    Some((missing, died))
}

/// `false` if it could not be started.
fn start_one(waker: &Arc<Waker>, dispatch: Dispatch) -> bool {
    let Ok(spare) = Spare::start(dispatch) else { return false };
    let mut spares = lock();
    let is_kept = spares.keeper.as_ref().is_some_and(|keeper| Arc::ptr_eq(keeper, waker));
    if is_kept && spares.waiting.len() < spares.wanted {
        spares.waiting.push(spare);
    }
    // One that is not wanted any more is ended when the lock is free again.
    drop(spares);
    true
}
