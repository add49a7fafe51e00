//! Starting the program anew with `CreateProcessW`.
//!
//! Not `std::process::Command`: it lets every inheritable handle of this process through to every child, also one that
//! another thread has made for its own child, and cannot put the child into a job before it runs.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::PoisonError;

use windows_sys::Win32::Foundation::{ERROR_NO_SYSTEM_RESOURCES, ERROR_TOO_MANY_OPEN_FILES, HANDLE};
use windows_sys::Win32::System::Threading::{
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
    PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    UpdateProcThreadAttribute,
};

use super::handle::{check, duplicate, opened};
use super::passing::Passing;
use super::streams::{Piped, Source, Target};
use super::strings::{command_line, environment_block, wide, with_system_root};
use super::{Handover, Process, Shared, job, program};
use crate::sys::{CHILD_VARIABLE, Command, Started};

/// Starts this program with one end of a connection.
///
/// A handle can be inherited only if it is marked so, and the mark is seen by every thread: here it is on duplicates,
/// which are open for the time of the start and are listed for this child alone. None gets into another child of this
/// library. Into one that is started just then by other means, without a list, they do: that is how Windows is, and the
/// end of a process is noticed all the same.
pub(crate) fn start(command: &mut Command, handover: &Handover) -> io::Result<Started> {
    let job = job::new()?;
    let connection = duplicate(handover.pipe.as_handle(), true)?;
    let sources = [
        Source::of(&command.stdin, Target::Input)?,
        Source::of(&command.stdout, Target::Output)?,
        Source::of(&command.stderr, Target::Error)?,
    ];
    let shared = command.shared.as_ref().and_then(Shared::handle);
    let shared = shared.map(|section| duplicate(section, true)).transpose()?;
    let mut inherited = vec![connection.as_raw_handle()];
    inherited.extend(shared.iter().map(|section| section.as_raw_handle()));
    let numbers: Vec<_> = inherited.iter().map(|&handle| format!(";{}", handle as usize)).collect();
    let place = format!("{}{}", command.token, numbers.concat());
    let streams = sources.each_ref().map(Source::child);
    // What was sent before there was a child, under the numbers that it was sent with.
    let mut passing = handover.passing.lock().unwrap_or_else(PoisonError::into_inner);
    if let Passing::Unborn(heirlooms) = &*passing {
        inherited.extend(heirlooms.iter().map(|handle| handle.as_raw_handle()));
    }
    inherited.extend(streams.iter().filter(|handle| !handle.is_null()));
    let (process, id) = create_process(command, &place, streams, &inherited, &job)?;
    *passing = Passing::Child(duplicate(process.as_handle(), false)?);
    drop(passing);
    drop((connection, shared));
    let mut shared = command.shared.take();
    shared.iter_mut().for_each(Shared::handed_over);
    let [stdin, stdout, stderr] = sources.map(Source::into_parent_end);
    let piped = Piped { stdin: stdin.map(Into::into), stdout: stdout.map(Into::into), stderr: stderr.map(Into::into) };
    Ok(Started { process: Process::new(id, process, job), piped, shared })
}

fn create_process(
    command: &Command,
    place: &str,
    [stdin, stdout, stderr]: [HANDLE; 3],
    inherited: &[HANDLE],
    job: &OwnedHandle,
) -> io::Result<(OwnedHandle, u32)> {
    let program = wide(program::path()?);
    let mut arguments = command_line(&command.args)?;
    let environment = environment_block(&with_system_root(&command.env), (CHILD_VARIABLE, place))?;
    let jobs = [job.as_raw_handle()];
    let attributes = Attributes::new(inherited, &jobs)?;

    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = stdin;
    startup.StartupInfo.hStdOutput = stdout;
    startup.StartupInfo.hStdError = stderr;
    startup.lpAttributeList = attributes.list();
    let mut created = PROCESS_INFORMATION::default();
    // SAFETY: the program's path and the arguments end in a zero, the environment in two, and the arguments are this
    // function's own to be written to. The structure is the extended one, as the flags say, and its list of attributes
    // was initialized and lives on. No security attributes, no directory. The result is written to `created`.
    let done = unsafe {
        CreateProcessW(
            program.as_ptr(),
            arguments.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
            environment.as_ptr().cast(),
            ptr::null(),
            &raw const startup.StartupInfo,
            &raw mut created,
        )
    };
    check(done)?;
    // SAFETY: the call above has succeeded and made this handle.
    drop(unsafe { opened(created.hThread) });
    // SAFETY: as above.
    Ok((unsafe { opened(created.hProcess)? }, created.dwProcessId))
}

/// What else a new process is given: the handles that it inherits, and the job that it is in from its beginning.
struct Attributes<'a> {
    /// Of the size that the system has asked for, and aligned for whatever it puts there.
    space: Vec<usize>,
    /// The list refers to the handles by their place, as long as it lives.
    handles: PhantomData<&'a [HANDLE]>,
}

impl<'a> Attributes<'a> {
    fn new(inherited: &'a [HANDLE], jobs: &'a [HANDLE]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list the call only writes the size that one needs.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 2, 0, &raw mut size) };
        let mut space = vec![0_usize; size.div_ceil(size_of::<usize>())];
        // SAFETY: the space is as large as the call above has asked for, for the same number of attributes.
        check(unsafe { InitializeProcThreadAttributeList(space.as_mut_ptr().cast(), 2, 0, &raw mut size) })?;
        let mut attributes = Self { space, handles: PhantomData };
        attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited)?;
        attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs)?;
        Ok(attributes)
    }

    fn set(&mut self, attribute: u32, handles: &'a [HANDLE]) -> io::Result<()> {
        // SAFETY: the list is initialized, with room for each attribute once. The value is an array of handles, as both
        // attributes want, and lives as long as the list.
        check(unsafe {
            UpdateProcThreadAttribute(
                self.space.as_mut_ptr().cast(),
                0,
                attribute as usize,
                handles.as_ptr().cast::<c_void>(),
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        })
    }

    /// To be read by the system.
    fn list(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.space.as_ptr().cast_mut().cast()
    }
}

impl Drop for Attributes<'_> {
    fn drop(&mut self) {
        // SAFETY: the list was initialized by `new` and is deleted once.
        unsafe { DeleteProcThreadAttributeList(self.space.as_mut_ptr().cast()) };
    }
}

/// What to do about an error of [`start`], to be put behind its text.
pub(crate) fn start_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; does something keep the program's file from being executed?",
        io::ErrorKind::NotFound => "; was the program's file renamed or moved?",
        io::ErrorKind::OutOfMemory => "; the system is out of memory",
        _ => match error.raw_os_error().map(i32::unsigned_abs) {
            Some(ERROR_TOO_MANY_OPEN_FILES | ERROR_NO_SYSTEM_RESOURCES) => "; too many handles are open",
            _ => "",
        },
    }
}
