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
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::handle::{check, opened};

/// A job without processes, whose closing ends those that are put into it. Its handle cannot be inherited.
pub(super) fn new() -> io::Result<OwnedHandle> {
    let job = empty()?;
    limit(&job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, 0)?;
    Ok(job)
}

/// Lets the process in the job live on when the handle is closed.
pub(super) fn release(job: &OwnedHandle) -> io::Result<()> {
    limit(job, 0, 0)
}

/// Limits how much memory this process may commit, in a job within its parent's: such a job lives as long as a process is
/// in it, whoever has a handle. The process's own children are in neither, and not limited.
pub(super) fn limit_memory(bytes: u64) -> io::Result<()> {
    let job = empty()?;
    limit(&job, JOB_OBJECT_LIMIT_PROCESS_MEMORY, usize::try_from(bytes).unwrap_or(usize::MAX))?;
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: the handle of the job is open, and the other one is that of this process.
    check(unsafe { AssignProcessToJobObject(job.as_raw_handle(), this) })
}

fn empty() -> io::Result<OwnedHandle> {
    // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    // SAFETY: the handle was just made.
    unsafe { opened(job) }
}

/// Sets what the flags say, and no other limit.
fn limit(job: &OwnedHandle, flags: JOB_OBJECT_LIMIT, memory: usize) -> io::Result<()> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION { ProcessMemoryLimit: memory, ..Default::default() };
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
