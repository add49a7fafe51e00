//! What else than a child a variable can make of a process at its start, with feature `engines`: the agent of a node, an
//! element of a batch. None of them comes to the body of `main`.

use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, PoisonError};

use crate::sys::{self, CHILD_VARIABLE};

/// The part of `main` that makes the process what the variable says. Returns in all others. Of several `main`s that run on
/// threads of one program, as those of doc-tests may, one takes the role, and the others get no further.
pub(crate) fn take_role(variable: &str, serve: fn(&OsStr) -> !) {
    static ENTERING: Mutex<()> = Mutex::new(());
    let _entering = ENTERING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = told(variable) {
        serve(&value);
    }
}

/// The same before `main`, which in a test binary belongs to the harness, if the value is for there.
pub(crate) fn take_role_before_main(variable: &str, is_for_here: fn(&OsStr) -> bool, serve: fn(&OsStr) -> !) {
    if let Some(value) = told(variable).filter(|value| is_for_here(value)) {
        sys::prepare_before_main();
        serve(&value);
    }
}

/// A child of a process with a role is a child.
fn told(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|_| std::env::var_os(CHILD_VARIABLE).is_none())
}
