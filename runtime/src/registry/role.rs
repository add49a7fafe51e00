//! Where a child of this process would take over, if anywhere.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The point at which a child stops being the program and becomes its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// At the first statement of `main`, which carries `#[process_main]`.
    ProcessMain,
    /// Before `main`, which belongs to a test harness.
    BeforeMain,
}

static PROCESS_MAIN: AtomicBool = AtomicBool::new(false);

/// Notes that `#[process_main]` has run in this process.
pub(crate) fn set_process_main() {
    PROCESS_MAIN.store(true, Ordering::Release);
}

/// Where a child would take over. `None` if it would run `main`: then it must not be started.
pub(crate) fn dispatch() -> Option<Dispatch> {
    static TEST_BUILD: OnceLock<bool> = OnceLock::new();
    if PROCESS_MAIN.load(Ordering::Acquire) {
        Some(Dispatch::ProcessMain)
    } else if *TEST_BUILD.get_or_init(super::in_test_build) {
        Some(Dispatch::BeforeMain)
    } else {
        None
    }
}
