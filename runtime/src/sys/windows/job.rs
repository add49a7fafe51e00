//! What binds the life of a child to that of its parent: a job object that the parent alone has a handle to.
//!
//! When the parent ends, however it does, the system closes the handle, and as it was the last one, ends the process
//! in the job. Each child has a job of its own, so that a single one can be released. The child's own children are not
//! in it: those started by this library have their own, and others may live on, as on other systems.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::ptr;

use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
};

use super::handle::{check, opened};

/// A job without processes. Its handle cannot be inherited.
pub(super) fn new() -> io::Result<OwnedHandle> {
    // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    // SAFETY: the handle was just made.
    let job = unsafe { opened(job)? };
    limit(&job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
    Ok(job)
}

/// Lets the process in the job live on when the handle is closed.
pub(super) fn release(job: &OwnedHandle) -> io::Result<()> {
    limit(job, 0)
}

fn limit(job: &OwnedHandle, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = flags | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    // SAFETY: the handle is open; the structure is the one that belongs to this class of information, of the size that
    // is given, and borrowed for the call.
    check(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        )
    })
}
