//! Pipes: named ones, as the system's anonymous pipes cannot be overlapped.

#![allow(unsafe_code)]

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_MODE_INFORMATION, FILE_PIPE_LOCAL_INFORMATION, FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT,
    FileModeInformation, FilePipeLocalInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_PIPE_BUSY, ERROR_PIPE_NOT_CONNECTED,
    GENERIC_READ, GENERIC_WRITE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES,
    FlushFileBuffers, OPEN_EXISTING, PIPE_ACCESS_DUPLEX, PIPE_ACCESS_INBOUND, PIPE_ACCESS_OUTBOUND,
    SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeInfo, PIPE_READMODE_BYTE, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_SERVER_END, PIPE_TYPE_BYTE, PIPE_TYPE_MESSAGE, PeekNamedPipe,
};

use super::handle::opened;
use super::strings::wide;

/// What a pipe holds before its writer waits. The system takes memory for what is in it, not for what could be.
const CAPACITY: u32 = 256 << 10;

/// How the name of every connection begins, after the system's prefix.
pub(super) const CONNECTION: &str = "spawnsafe-connection.";

/// What a pipe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Bytes both ways; the child's end is overlapped as well.
    Connection,
    /// A standard stream that the child reads.
    ChildReads,
    /// A standard stream that the child writes.
    ChildWrites,
    /// Messages that stay whole, with room for so many bytes of them: this process's end reads. Both are overlapped.
    Messages(u32),
    /// The same with room for all that is written. The other end can be read as well, which tells of the end of this one.
    Watched,
}

/// A new pipe: the end of this process, which is overlapped, and the child's. Neither can be inherited.
pub(super) fn pair(purpose: Purpose) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let mut attempts = 0;
    loop {
        match try_pair(purpose, &unused_name(purpose)) {
            Err(error) if is_taken(&error) && attempts < 10 => attempts += 1,
            done => return done,
        }
    }
}

/// The name tells nobody anything: it is in use for the moment between the two calls that open the ends, and there is
/// one instance of the pipe, so whoever guessed it would only make the second call fail.
fn unused_name(purpose: Purpose) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let kind = match purpose {
        Purpose::Connection => CONNECTION,
        Purpose::Messages(_) | Purpose::Watched => "spawnsafe-channel.",
        Purpose::ChildReads | Purpose::ChildWrites => "spawnsafe-stream.",
    };
    format!(r"\\.\pipe\LOCAL\{kind}{}.{count}.{:016x}", std::process::id(), RandomState::new().hash_one(count))
}

/// Somebody else has a pipe of this name, or has opened this one.
fn is_taken(error: &io::Error) -> bool {
    [ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY].iter().any(|&code| error.raw_os_error() == Some(code as i32))
}

fn try_pair(purpose: Purpose, name: &str) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let (ours, theirs, flags) = match purpose {
        Purpose::Connection | Purpose::Watched => {
            (PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED)
        }
        Purpose::ChildReads => (PIPE_ACCESS_OUTBOUND, GENERIC_READ | FILE_WRITE_ATTRIBUTES, 0),
        Purpose::ChildWrites => (PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0),
        Purpose::Messages(_) => (PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES, FILE_FLAG_OVERLAPPED),
    };
    let (mode, capacity) = match purpose {
        Purpose::Messages(room) => (PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, room),
        Purpose::Watched => (PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, u32::MAX),
        _ => (PIPE_TYPE_BYTE | PIPE_READMODE_BYTE, CAPACITY),
    };
    let name = wide(name);
    // SAFETY: the name ends in a zero and is borrowed for the call; there are no security attributes.
    let server = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            ours | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
            mode | PIPE_REJECT_REMOTE_CLIENTS,
            1,
            capacity,
            capacity,
            0,
            ptr::null(),
        )
    };
    // SAFETY: the handle was just made.
    let server = unsafe { opened(server)? };
    // Whoever gets the other end may know who has opened this one, and may not act as that one.
    let flags = flags | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    // SAFETY: as above; there is no template.
    let client = unsafe { CreateFileW(name.as_ptr(), theirs, 0, ptr::null(), OPEN_EXISTING, flags, ptr::null_mut()) };
    // SAFETY: the handle was just made.
    Ok((server, unsafe { opened(client)? }))
}

/// How many bytes can be read at once; `None` if there are none and the other end is closed.
pub(super) fn available(pipe: &OwnedHandle) -> io::Result<Option<usize>> {
    let mut count = 0;
    // SAFETY: the handle is open; of the places for results only that of `count` is given, which is valid.
    let done = unsafe {
        PeekNamedPipe(pipe.as_raw_handle(), ptr::null_mut(), 0, ptr::null_mut(), &raw mut count, ptr::null_mut())
    };
    if done != 0 {
        return Ok(Some(count as usize));
    }
    let error = io::Error::last_os_error();
    if is_closed(&error) { Ok(None) } else { Err(error) }
}

/// Whether so many bytes go into it at once. It is this end alone that writes them.
pub(super) fn has_room(pipe: &OwnedHandle, len: u32) -> bool {
    let (mut status, mut info) = (IO_STATUS_BLOCK::default(), FILE_PIPE_LOCAL_INFORMATION::default());
    // SAFETY: the handle is open. The call writes to the two structures, of which the second is the one of this class of
    // information, of the size that is given.
    let result = unsafe {
        let (into, len) = ((&raw mut info).cast(), size_of_val(&info) as u32);
        NtQueryInformationFile(pipe.as_raw_handle(), &raw mut status, into, len, FilePipeLocalInformation)
    };
    result >= 0 && info.WriteQuotaAvailable >= len
}

/// How long the next message is; 0 if there is none.
pub(super) fn message_len(pipe: &OwnedHandle) -> io::Result<usize> {
    let mut len = 0;
    // SAFETY: the handle is open; of the places for results only that of `len` is given, which is valid.
    let done = unsafe {
        PeekNamedPipe(pipe.as_raw_handle(), ptr::null_mut(), 0, ptr::null_mut(), ptr::null_mut(), &raw mut len)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(len as usize) }
}

/// Copies the beginning of the next message, which stays where it is. Tells how many bytes: none if there is no message.
pub(super) fn look(pipe: &OwnedHandle, into: &mut [u8]) -> io::Result<usize> {
    let (len, mut count) = (u32::try_from(into.len()).unwrap_or(u32::MAX), 0);
    // SAFETY: the handle is open; the buffer is valid for that length, and so is `count`, the only other place for results.
    let done = unsafe {
        let into = into.as_mut_ptr().cast();
        PeekNamedPipe(pipe.as_raw_handle(), into, len, &raw mut count, ptr::null_mut(), ptr::null_mut())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(count as usize) }
}

/// How many bytes of messages a pipe holds that was made for them; `None` for anything else, also if it is the other end, or
/// would have whoever uses it wait. Of one that comes from another process this must be asked [aside](super::aside).
pub(super) fn room_for_messages(pipe: &OwnedHandle, reads: bool) -> Option<u32> {
    if !is_overlapped(pipe) {
        return None;
    }
    let (mut flags, mut room) = (0, 0);
    // SAFETY: the handle is open, and of one that is no pipe the call says so. It writes to `flags` and `room`.
    let done = unsafe {
        GetNamedPipeInfo(pipe.as_raw_handle(), &raw mut flags, ptr::null_mut(), &raw mut room, ptr::null_mut())
    };
    let keeps_messages = done != 0 && flags & PIPE_TYPE_MESSAGE != 0;
    (keeps_messages && (flags & PIPE_SERVER_END != 0) == reads).then_some(room)
}

/// Whether no call on it waits for what others do with it.
fn is_overlapped(file: &OwnedHandle) -> bool {
    let (mut status, mut info) = (IO_STATUS_BLOCK::default(), FILE_MODE_INFORMATION::default());
    // SAFETY: the handle is open, and of one that is no file the call says so. It writes to the two structures, of which the
    // second is the one of this class of information, of the size that is given.
    let result = unsafe {
        let (into, len) = ((&raw mut info).cast(), size_of_val(&info) as u32);
        NtQueryInformationFile(file.as_raw_handle(), &raw mut status, into, len, FileModeInformation)
    };
    result >= 0 && info.Mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) == 0
}

/// Waits until the other end has read everything, or is closed.
pub(super) fn await_reader(pipe: &OwnedHandle) {
    // SAFETY: the handle is open. It fails if nobody is there who could read.
    unsafe { FlushFileBuffers(pipe.as_raw_handle()) };
}

/// Whoever writes learns of a closed pipe by several codes.
pub(super) fn has_no_reader(error: &io::Error) -> bool {
    let codes = [ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED];
    codes.iter().any(|&code| error.raw_os_error() == Some(code as i32))
}

/// The buffer is full, and the message goes on.
pub(super) fn is_part(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_MORE_DATA as i32)
}

/// The other end is closed, and nothing is left to be read.
pub(super) fn is_closed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_BROKEN_PIPE as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pipe_has_no_room() {
        let (ours, _theirs) = pair(Purpose::Connection).unwrap();
        assert!(!has_room(&ours, u32::MAX));
    }

    #[test]
    fn only_what_makes_nobody_wait_is_a_queue() {
        let (ours, theirs) = pair(Purpose::ChildReads).unwrap();
        assert!(is_overlapped(&ours) && !is_overlapped(&theirs));
        let (ours, theirs) = pair(Purpose::Messages(5000)).unwrap();
        assert_eq!((room_for_messages(&ours, true), room_for_messages(&theirs, false)), (Some(5000), Some(5000)));
        assert_eq!((room_for_messages(&ours, false), room_for_messages(&theirs, true)), (None, None));
        assert!(!is_overlapped(&super::super::handle::event().unwrap()));
        assert!(!is_overlapped(&std::fs::File::open(std::env::current_exe().unwrap()).unwrap().into()));
    }
}
