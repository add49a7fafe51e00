//! What a worker of a pool keeps mapped from one task to the next.
//!
//! A task that is given a slice maps it, and most of what it costs to read it is that its pages are new to the process:
//! 10 ms for 64 MiB that are read again in 2 ms (`benches/RESULTS.md`). As the tasks of one `map` most often get the same
//! slices, a worker keeps what the last task was given until the next one has its arguments, or until it has had nothing
//! to do for a moment: nobody is to wonder why memory is still there that nobody has any more.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::{Identity, OwnedHandle, Segment};

/// Whether this process keeps something: it is a worker.
static KEEPS: AtomicBool = AtomicBool::new(false);

static RECENT: Mutex<Vec<Recent>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Recent {
    identity: Identity,
    segment: Arc<Segment>,
    /// Since the last [`next_task`].
    is_used: bool,
}

fn recent() -> MutexGuard<'static, Vec<Recent>> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This process runs one task after another.
pub(crate) fn keep_until_next_task() {
    KEEPS.store(true, Ordering::Relaxed);
}

/// A task has its arguments: what it was not given goes.
pub(crate) fn next_task() {
    if KEEPS.load(Ordering::Relaxed) {
        recent().retain_mut(|recent| std::mem::take(&mut recent.is_used));
    }
}

/// Whether something is kept.
pub(crate) fn is_kept() -> bool {
    KEEPS.load(Ordering::Relaxed) && !recent().is_empty()
}

/// Keeps nothing more of what there is.
pub(crate) fn forget() {
    recent().clear();
}

/// The segment that has come, which may be one that is kept.
pub(super) fn adopt(handle: OwnedHandle, size: usize) -> io::Result<Arc<Segment>> {
    let identity = Segment::identity(&handle, size).filter(|_| KEEPS.load(Ordering::Relaxed));
    let Some(identity) = identity else { return Segment::adopt(handle, size).map(Arc::new) };
    let mut all = recent();
    if let Some(known) = all.iter_mut().find(|recent| recent.identity == identity) {
        known.is_used = true;
        return Ok(Arc::clone(&known.segment));
    }
    let segment = Arc::new(Segment::adopt(handle, size)?);
    all.push(Recent { identity, segment: Arc::clone(&segment), is_used: true });
    Ok(segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::SegmentMut;

    #[test]
    fn a_segment_is_kept_for_the_next_task_and_no_longer() {
        let Ok([one, other]) = [7, 8]
            .map(|byte| {
                let mut memory = SegmentMut::zeroed(100)?;
                memory.bytes_mut().fill(byte);
                memory.seal()
            })
            .into_iter()
            .collect::<io::Result<Vec<_>>>()
            .map(|both| <[Segment; 2]>::try_from(both).unwrap())
        else {
            return;
        };
        let arrives = |segment: &Segment| adopt(segment.handle().try_clone().unwrap(), 100).unwrap();
        assert!(!Arc::ptr_eq(&arrives(&one), &arrives(&one)), "a process that is no worker keeps nothing");
        keep_until_next_task();
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
        KEEPS.store(false, Ordering::Relaxed);
    }
}
