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

/// Lets this process have so much memory: by a job of its own, within the one that its parent has put it into. It lasts
/// without a handle.
pub(super) fn limit_memory_of_this_process(bytes: usize) -> io::Result<()> {
    // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    // SAFETY: the handle was just made.
    let job = unsafe { opened(job)? };
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION { ProcessMemoryLimit: bytes, ..Default::default() };
    set(&job, &mut limits, JOB_OBJECT_LIMIT_PROCESS_MEMORY)?;
    // SAFETY: the call has no preconditions; what it returns stands for this process and need not be closed.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: both handles are open.
    check(unsafe { AssignProcessToJobObject(job.as_raw_handle(), this) })
}

fn limit(job: &OwnedHandle, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
    set(job, &mut JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default(), flags)
}

fn set(
    job: &OwnedHandle,
    limits: &mut JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    flags: JOB_OBJECT_LIMIT,
) -> io::Result<()> {
    limits.BasicLimitInformation.LimitFlags = flags | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    // SAFETY: the handle is open; the structure is the one that belongs to this class of information, of the size that
    // is given, and borrowed for the call.
    check(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            ptr::from_ref(limits).cast(),
            size_of_val(limits) as u32,
        )
    })
}
