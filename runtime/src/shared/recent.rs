//! What a worker of a pool keeps mapped from one task to the next.
//!
//! A task that is given a slice maps it, and most of what it costs to read it is that its pages are new to the process:
//! 10 ms for 64 MiB that are read again in 2 ms (`benches/RESULTS.md`). As the tasks of one `map` most often get the same
//! slices, a worker keeps what the last task was given until the next one has its arguments, or until it has had nothing
//! to do for a moment: nobody is to wonder why memory is still there that nobody has any more.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::{Identity, OwnedHandle, Segment};

thread_local! {
    /// Whether arguments of a task are being unpacked. What a task gets by other ways, of which there may be any number, is
    /// not kept.
    static ARGUMENTS: Cell<bool> = const { Cell::new(false) };
}

static RECENT: Mutex<Vec<Recent>> = Mutex::new(Vec::new());

/// Whether something is kept. Most tasks have no slices, and need not wait for the lock.
static ANY: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Recent {
    identity: Identity,
    segment: Arc<Segment>,
    /// By the arguments of the task that is about to run.
    is_used: bool,
}

fn recent() -> MutexGuard<'static, Vec<Recent>> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In a worker: the arguments of a task are unpacked now.
pub(crate) fn arguments_begin() {
    ARGUMENTS.set(true);
}

/// They are unpacked: what is not among them goes.
pub(crate) fn arguments_end() {
    if ARGUMENTS.replace(false) && ANY.load(Ordering::Relaxed) {
        let mut all = recent();
        all.retain_mut(|recent| std::mem::take(&mut recent.is_used));
        ANY.store(!all.is_empty(), Ordering::Relaxed);
    }
}

/// Whether something is kept.
pub(crate) fn is_kept() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// Keeps nothing more of what there is.
pub(crate) fn forget() {
    recent().clear();
    ANY.store(false, Ordering::Relaxed);
}

/// The segment that has come, which may be one that is kept.
pub(super) fn adopt(handle: OwnedHandle, size: usize) -> io::Result<Arc<Segment>> {
    let identity = if ARGUMENTS.get() { Segment::identity(&handle, size) } else { None };
    let Some(identity) = identity else { return Segment::adopt(handle, size).map(Arc::new) };
    let mut all = recent();
    if let Some(known) = all.iter_mut().find(|recent| recent.identity == identity) {
        known.is_used = true;
        return Ok(Arc::clone(&known.segment));
    }
    let segment = Arc::new(Segment::adopt(handle, size)?);
    all.push(Recent { identity, segment: Arc::clone(&segment), is_used: true });
    ANY.store(true, Ordering::Relaxed);
    Ok(segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::SegmentMut;

    /// `None` where processes share no memory yet.
    fn filled(byte: u8) -> Option<Segment> {
        let mut memory = SegmentMut::zeroed(100).ok()?;
        memory.bytes_mut().fill(byte);
        memory.seal().ok()
    }

    #[test]
    fn a_segment_is_kept_for_the_next_task_and_no_longer() {
        let (Some(one), Some(other)) = (filled(7), filled(8)) else { return };
        // Nor where the system does not tell one from the other.
        if Segment::identity(one.handle(), 100).is_none() {
            return;
        }
        let arrives = |segment: &Segment| adopt(segment.handle().try_clone().unwrap(), 100).unwrap();
        assert!(!Arc::ptr_eq(&arrives(&one), &arrives(&one)), "what is no argument is not kept");
        let next_task = || {
            arguments_end();
            arguments_begin();
        };
        arguments_begin();
        let first = arrives(&one);
        next_task();
        assert!(is_kept());
        assert!(Arc::ptr_eq(&first, &arrives(&one)));
        assert_eq!(arrives(&other).bytes(), [8; 100]);
        next_task();
        assert!(Arc::ptr_eq(&first, &arrives(&one)));
        next_task();
        // The other one was not given to this task.
        let again = arrives(&one);
        next_task();
        next_task();
        assert!(!Arc::ptr_eq(&again, &arrives(&one)));
        let kept = arrives(&one);
        forget();
        assert!(!Arc::ptr_eq(&kept, &arrives(&one)));
        arguments_end();
        // Not by other ways.
        assert!(!Arc::ptr_eq(&arrives(&one), &arrives(&one)));
    }
}
