//! Becoming a child: finding the parent's connection again. Dying with the parent is the job's business.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, FromRawHandle as _, OwnedHandle};
use std::ptr;

use windows_sys::Wdk::System::Threading::{NtQueryInformationProcess, ProcessBasicInformation};
use windows_sys::Win32::Foundation::{HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_TYPE_PIPE, FileNameInfo, GetFileInformationByHandleEx, GetFileType,
};
use windows_sys::Win32::System::Pipes::{GetNamedPipeInfo, GetNamedPipeServerProcessId, PIPE_SERVER_END};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetCurrentThread, SetThreadDescription};

use super::handle::check;
use super::strings::wide;
use super::{Shared, Stream, pipe};

/// Windows starts no program with more rights than its starter's on the word of its file alone: the user is asked, and
/// the program then gets an environment that its starter does not choose.
pub(crate) fn has_raised_privileges() -> bool {
    false
}

/// Takes over the connection that `place` (what follows the token in the variable) describes. The error is for the
/// person who has set the variable by hand.
///
/// The environment alone is no proof: the handle must be that of a pipe which this process's parent has made for this.
pub(crate) fn adopt(place: &OsStr) -> Result<Option<Adopted>, String> {
    let (handle, shared) = place.to_str().and_then(handles).ok_or("it is malformed")?;
    let identity = {
        // SAFETY: the borrow does not outlive this block, and the only use of it is to ask what the number is: if
        // nothing is open there, the system says so.
        let handle = unsafe { BorrowedHandle::borrow_raw(handle) };
        identity(handle).ok_or("it names a handle that is no connection")?
    };
    // SAFETY: the number is an open handle to a connection, see above. The parent opened it for this code in this process
    // alone; what ran before (constructors, at most) has no reason to own it.
    let connection = unsafe { OwnedHandle::from_raw_handle(handle) };

    let failed = |error: io::Error| format!("the connection cannot be prepared: {error}");
    if identity.maker != parent().map_err(failed)? {
        return Err("the process that made this connection is not this process's parent".into());
    }
    let shared = shared.map(adopt_shared).transpose()?;
    // A grandchild must not get it.
    // SAFETY: the handle is open.
    check(unsafe { SetHandleInformation(connection.as_raw_handle(), HANDLE_FLAG_INHERIT, 0) }).map_err(failed)?;
    Ok(Some(Adopted { stream: Stream::blocking(connection).map_err(failed)?, shared, identity }))
}

/// The connection, and shared memory where there is some: different numbers.
fn handles(place: &str) -> Option<(HANDLE, Option<HANDLE>)> {
    // Handles are multiples of four, and none is zero.
    let number = |text: &str| text.parse::<u32>().ok().filter(|&number| number != 0 && number % 4 == 0);
    let (connection, shared) = match place.split_once(';') {
        Some((connection, shared)) => (number(connection)?, Some(number(shared)?)),
        None => (number(place)?, None),
    };
    let handle = |number: u32| number as usize as HANDLE;
    (shared != Some(connection)).then_some((handle(connection), shared.map(handle)))
}

fn adopt_shared(handle: HANDLE) -> Result<Shared, String> {
    let shared = {
        // SAFETY: the borrow does not outlive this block, and the only use of it is to map what the number is: of what is
        // no memory the system says so.
        let handle = unsafe { BorrowedHandle::borrow_raw(handle) };
        Shared::adopt(handle).map_err(|error| format!("it names a handle that is no shared memory: {error}"))?
    };
    // SAFETY: the number is an open handle to memory, see above. The parent opened it for this code in this process alone.
    drop(unsafe { OwnedHandle::from_raw_handle(handle) });
    Ok(shared)
}

/// A child's end of its connection.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: Stream,
    /// The memory that it shares with its parent, if the parent asked for some.
    pub(crate) shared: Option<Shared>,
    identity: Identity,
}

impl Adopted {
    /// Whether the stream is still what was adopted. An entry that closes handles it does not know may since have
    /// opened a file under the same number, and a result must not be written into that.
    pub(crate) fn is_intact(&self) -> bool {
        identity(self.stream.handle()).is_some_and(|now| now.is_that_of(&self.identity))
    }

    /// The process will ask often whether it [is ours](Self::is_ours).
    pub(crate) fn prepare_to_stay(&mut self) {}

    /// Whether this process is the one that was started: no process is a copy of another here.
    pub(crate) fn is_ours(&self) -> bool {
        true
    }
}

/// What a handle refers to, if that can be a child's end of a connection.
///
/// A pipe whose other end is closed may have no name any more: that of a child that was detached before it came to this.
/// All that can come through it is the call that was left there.
fn identity(handle: BorrowedHandle<'_>) -> Option<Identity> {
    // SAFETY: the call takes any number, and fails for one that is no open handle.
    if unsafe { GetFileType(handle.as_raw_handle()) } != FILE_TYPE_PIPE {
        return None;
    }
    let mut flags = 0;
    // SAFETY: as above; of the places for results only that of `flags` is given, which is valid.
    let is_known = unsafe {
        GetNamedPipeInfo(handle.as_raw_handle(), &raw mut flags, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) != 0
    };
    let name = name(handle);
    let is_connection = |name: &Vec<u16>| String::from_utf16_lossy(name).contains(pipe::CONNECTION);
    let is_wrong = is_known && flags & PIPE_SERVER_END != 0 || name.as_ref().is_some_and(|name| !is_connection(name));
    let maker = maker(handle).ok()?;
    (!is_wrong).then_some(Identity { maker, name })
}

/// A connection, and no other.
#[derive(Debug)]
struct Identity {
    maker: usize,
    name: Option<Vec<u16>>,
}

impl Identity {
    fn is_that_of(&self, other: &Self) -> bool {
        let may_be_same = self.name.is_none() || other.name.is_none() || self.name == other.name;
        self.maker == other.maker && may_be_same
    }
}

/// The name of a pipe.
fn name(handle: BorrowedHandle<'_>) -> Option<Vec<u16>> {
    // `FILE_NAME_INFO`: the length in bytes, four of them, and then the name. Longer names than ours do not fit.
    let mut info = [0_u32; 128];
    // SAFETY: the call writes at most as many bytes as the array has, which is aligned as the structure wants.
    let done = unsafe {
        GetFileInformationByHandleEx(
            handle.as_raw_handle(),
            FileNameInfo,
            info.as_mut_ptr().cast(),
            size_of_val(&info) as u32,
        )
    };
    let units = info[1..].iter().flat_map(|pair| [*pair as u16, (pair >> 16) as u16]);
    (done != 0).then(|| units.take(info[0] as usize / 2).collect())
}

/// The process that has made a pipe.
fn maker(connection: BorrowedHandle<'_>) -> io::Result<usize> {
    let mut id = 0;
    // SAFETY: the handle is open, and the call writes to `id`.
    check(unsafe { GetNamedPipeServerProcessId(connection.as_raw_handle(), &raw mut id) })?;
    Ok(id as usize)
}

/// The process that has started this one. It may have ended, and its number may be another's now: one that has made
/// a connection of this library's for a process that then is not this one, and has a handle to it all the same, has
/// handed it over on purpose.
fn parent() -> io::Result<usize> {
    /// The place of `InheritedFromUniqueProcessId` in `PROCESS_BASIC_INFORMATION`, all of whose fields are, with their
    /// padding, as large as a pointer.
    const PARENT: usize = 5;
    let mut information = [0_usize; 6];
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: the call writes at most as many bytes as the array has, which is what this class of information takes.
    let status = unsafe {
        NtQueryInformationProcess(
            this,
            ProcessBasicInformation,
            information.as_mut_ptr().cast(),
            size_of_val(&information) as u32,
            ptr::null_mut(),
        )
    };
    if status >= 0 { Ok(information[PARENT]) } else { Err(io::Error::other(format!("NTSTATUS {status:#x}"))) }
}

/// Windows lists processes under the names of their files: nothing that a child would have to be told.
pub(crate) fn process_name() -> String {
    String::new()
}

/// Names the main thread, which is what debuggers show; the process has no name of its own.
pub(crate) fn set_process_name(name: &str) {
    if name.is_empty() {
        return;
    }
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentThread() };
    // SAFETY: the name ends in a zero, and is borrowed for the call. A name is for people: a system that refuses it is
    // no reason to fail.
    unsafe { SetThreadDescription(this, wide(name).as_ptr()) };
}
