//! What a panic says, caught where it is still known: in the panic hook.
//!
//! The hook records and then calls the hook that was there, so the message appears on stderr as in any program.
//! `catch_unwind` then has the payload, but neither place nor backtrace.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;

use super::reply;
use crate::error::{Error, ErrorKind, Location, Panic};
use crate::sys::Adopted;

/// The entry that runs, and the last panic of the thread that runs it.
static NOW: Mutex<Now> = Mutex::new(Now { entry: "", last: None });

struct Now {
    entry: &'static str,
    last: Option<Panic>,
}

fn now() -> MutexGuard<'static, Now> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is a last panic.
static HAS_LAST: AtomicBool = AtomicBool::new(false);

/// Notes which entry is about to run.
pub(super) fn now_runs(entry: &'static str) {
    *now() = Now { entry, last: None };
}

/// The same entry is about to run once more: a panic that it has caught before is not its last one.
pub(super) fn forget_last() {
    // Only the thread that asks sets it.
    if HAS_LAST.load(Ordering::Relaxed) {
        HAS_LAST.store(false, Ordering::Relaxed);
        now().last = None;
    }
}

/// The thread that runs the entry, which is the one that asks. Kept, as finding out writes to memory that a process which was
/// forked would have to copy.
pub(super) fn entry_thread() -> ThreadId {
    static THREAD: OnceLock<ThreadId> = OnceLock::new();
    *THREAD.get_or_init(|| std::thread::current().id())
}

/// Records panics from now on. Where one is about to abort the process, tells the parent at once.
pub(super) fn watch_for(adopted: &Arc<Adopted>) {
    let adopted = Arc::clone(adopted);
    let entry_thread = entry_thread();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let message = message(info.payload());
        if aborts(&message) {
            let Now { entry, last } = std::mem::replace(&mut *now(), Now { entry: "", last: None });
            let panic = match last {
                Some(first) => Panic { message: format!("{} (then: {message})", first.message), ..first },
                None => describe(info, message, entry_thread),
            };
            reply::last_words(&panicked(panic).in_entry(entry), &adopted);
        } else if std::thread::current().id() == entry_thread {
            let panic = describe(info, message, entry_thread);
            now().last = Some(panic);
            HAS_LAST.store(true, Ordering::Relaxed);
        }
        previous(info);
    }));
}

/// Whether the process cannot survive this panic. The runtime says so only in the texts of the panics that it raises
/// itself while it unwinds; should it ever change them, such a death is reported as a signal, without a message.
fn aborts(message: &str) -> bool {
    cfg!(panic = "abort")
        || message == "panic in a destructor during cleanup"
        || message == "panic in a function that cannot unwind"
}

fn describe(info: &PanicHookInfo<'_>, message: String, entry_thread: ThreadId) -> Panic {
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    Panic {
        message,
        location: info.location().map(|location| Location {
            file: location.file().to_owned(),
            line: location.line(),
            column: location.column(),
        }),
        // Before `main` (in tests) the main thread has no name yet.
        thread: match thread.name() {
            Some(name) => Some(name.to_owned()),
            None if thread.id() == entry_thread => Some("main".to_owned()),
            None => None,
        },
        backtrace: (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string()).map(trimmed),
    }
}

/// The frames between the panic and the entry, as std prints them: unless all are asked for, and if they are to be seen.
fn trimmed(backtrace: String) -> String {
    let is_full = |name| std::env::var_os(name).map(|value| value == "full");
    if is_full("RUST_LIB_BACKTRACE").or_else(|| is_full("RUST_BACKTRACE")).unwrap_or(false) {
        return backtrace;
    }
    own_frames(&backtrace).map(str::to_owned).unwrap_or(backtrace)
}

/// Each frame is a line with its number and name, and one with its place, if that is known.
fn own_frames(backtrace: &str) -> Option<&str> {
    let line_of = |name| Some(backtrace[..backtrace.find(name)?].rfind('\n').map_or(0, |end| end + 1));
    let is_place = |line: &str| line.trim_start().starts_with("at ");
    let after = backtrace.get(line_of("__rust_end_short_backtrace")?..line_of("__rust_begin_short_backtrace")?)?;
    let mut start = 0;
    for (count, line) in after.split_inclusive('\n').enumerate() {
        if count > 0 && !is_place(line) {
            break;
        }
        start += line.len();
    }
    Some(after[start..].trim_end())
}

/// The error for an entry that has panicked with this payload.
pub(super) fn error(payload: &(dyn Any + Send)) -> Error {
    let message = message(payload);
    let recorded = now().last.take();
    // A payload that was raised again without the hook is not the panic that was recorded last.
    let panic = recorded.filter(|panic| panic.message == message);
    panicked(panic.unwrap_or(Panic { message, location: None, thread: None, backtrace: None }))
}

fn panicked(panic: Panic) -> Error {
    Error::new(ErrorKind::Panicked, format!("panicked: {panic}")).with_panic(panic)
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "Box<dyn Any>".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::own_frames;

    #[test]
    fn a_backtrace_ends_where_the_entry_begins() {
        let backtrace = "   0: hook\n             at /a.rs:1:1\n   1: std::x::__rust_end_short_backtrace\n             at /b.rs:1:1\n   \
                         2: panic_fmt\n   3: program::entry\n             at ./src/main.rs:16:20\n   4: \
                         spawnsafe::__rust_begin_short_backtrace\n             at /c.rs:1:1\n   5: main\n";
        let own = "   2: panic_fmt\n   3: program::entry\n             at ./src/main.rs:16:20";
        assert_eq!(own_frames(backtrace), Some(own));
        assert_eq!(own_frames("   0: program::entry\n   1: main\n"), None);
        assert_eq!(own_frames("__rust_begin_short_backtrace\n__rust_end_short_backtrace\n"), None);
    }
}
