//! Processes and handles as Windows tells them.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr;

use spawnsafe::ExitStatus;
use windows_sys::Win32::Foundation::{GetHandleInformation, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_TYPE_PIPE, FileNameInfo, GetFileInformationByHandleEx, GetFileType,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS, TH32CS_SNAPTHREAD,
    THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};
use windows_sys::Win32::System::Memory::{MEM_MAPPED, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualQuery};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
};

/// Whether this is Wine, which lacks some of what Windows does: each test that asks says what.
#[must_use]
pub fn is_wine() -> bool {
    // SAFETY: the name ends in a zero.
    let ntdll = unsafe { GetModuleHandleA(c"ntdll.dll".as_ptr().cast()) };
    // SAFETY: the module is loaded in every process, and the name ends in a zero.
    unsafe { GetProcAddress(ntdll, c"wine_get_version".as_ptr().cast()) }.is_some()
}

fn open(pid: u32, rights: u32) -> Option<OwnedHandle> {
    // SAFETY: the call has no preconditions.
    let process = unsafe { OpenProcess(rights, 0, pid) };
    // SAFETY: the handle was just made.
    (!process.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(process) })
}

/// Whether a process still runs.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    // SAFETY: the handle is open.
    open(pid, PROCESS_SYNCHRONIZE)
        .is_some_and(|process| unsafe { WaitForSingleObject(process.as_raw_handle(), 0) } != WAIT_OBJECT_0)
}

/// Whether a process has ended: there are no zombies here.
#[must_use]
pub fn is_gone(pid: u32) -> bool {
    !is_running(pid)
}

/// All processes that run and whose parent is `pid`.
#[must_use]
pub fn children_of(pid: u32) -> Vec<u32> {
    // SAFETY: the call has no preconditions.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    assert_ne!(snapshot, INVALID_HANDLE_VALUE);
    // SAFETY: the handle was just made.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..PROCESSENTRY32W::default() };
    let mut children = Vec::new();
    // SAFETY: the handle is open and the structure says its size.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32ParentProcessID == pid {
            children.push(entry.th32ProcessID);
        }
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    children.retain(|&child| is_running(child));
    children
}

/// How many threads this process has.
#[must_use]
pub fn threads() -> usize {
    // SAFETY: the call has no preconditions.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    assert_ne!(snapshot, INVALID_HANDLE_VALUE);
    // SAFETY: the handle was just made.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry = THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..THREADENTRY32::default() };
    let mut count = 0;
    // SAFETY: the handle is open and the structure says its size.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        count += usize::from(entry.th32OwnerProcessID == std::process::id());
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    count
}

/// How many pieces of memory this process shares with others by this library: all that is mapped, can be written, and is
/// as long as those are.
#[must_use]
pub fn shared_segments() -> usize {
    let (mut at, mut count) = (0_usize, 0);
    loop {
        let mut info = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: the call takes any address, and writes at most as many bytes as the structure has.
        let known = unsafe { VirtualQuery(ptr::without_provenance(at), &raw mut info, size_of_val(&info)) };
        if known == 0 {
            return count;
        }
        let is_shared = info.Type == MEM_MAPPED && info.Protect == PAGE_READWRITE && info.RegionSize == 320 << 10;
        count += usize::from(is_shared);
        at = info.BaseAddress.addr() + info.RegionSize;
    }
}

/// How many bytes of this process are in memory.
#[must_use]
pub fn resident() -> usize {
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: the call writes at most as many bytes as the structure has.
    let done = unsafe { K32GetProcessMemoryInfo(this, &raw mut counters, size_of_val(&counters) as u32) };
    assert_ne!(done, 0);
    counters.WorkingSetSize
}

/// The open handles of this process, each with the name of its pipe if it is one. The system has no list of them:
/// every number that could be one is asked about.
#[must_use]
pub fn open_descriptors() -> BTreeMap<u32, String> {
    let numbers = (4..0x2000).step_by(4).filter(|&number: &u32| {
        let mut flags = 0;
        // SAFETY: the call fails for a number that is no open handle.
        unsafe { GetHandleInformation(number as usize as HANDLE, &raw mut flags) != 0 }
    });
    numbers.map(|number| (number, pipe_name(number))).collect()
}

/// The name of a pipe; of other handles, none.
fn pipe_name(number: u32) -> String {
    // SAFETY: the call fails for a number that is no open handle.
    if unsafe { GetFileType(number as usize as HANDLE) } != FILE_TYPE_PIPE {
        return String::new();
    }
    let mut info = [0_u32; 256];
    // SAFETY: the call writes at most as many bytes as the array has.
    let done = unsafe {
        let len = size_of_val(&info) as u32;
        GetFileInformationByHandleEx(number as usize as HANDLE, FileNameInfo, info.as_mut_ptr().cast(), len)
    };
    let units: Vec<u16> = info[1..].iter().flat_map(|pair| [*pair as u16, (pair >> 16) as u16]).collect();
    if done == 0 { "a pipe".into() } else { String::from_utf16_lossy(&units[..info[0] as usize / 2]) }
}

/// Whether a process that ended so has called `abort`.
#[must_use]
pub fn is_abort(status: ExitStatus) -> bool {
    status.exception() == Some(0xC000_0409)
}

/// Whether a process that ended so was killed by this library.
#[must_use]
pub fn is_kill(status: ExitStatus) -> bool {
    status.code() == Some(137)
}

/// Kills a process that the test has started, not as its parent.
pub fn kill(pid: u32) {
    if let Some(process) = open(pid, PROCESS_TERMINATE) {
        // SAFETY: the handle is open.
        unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    }
}

pub(crate) fn child_connection() -> Option<ManuallyDrop<File>> {
    let handles = open_descriptors();
    let (&number, _) = handles.iter().find(|(_, name)| name.contains("spawnsafe-connection."))?;
    // SAFETY: the handle is open, and is not closed by what is made of it here.
    Some(ManuallyDrop::new(unsafe { File::from_raw_handle(number as usize as HANDLE) }))
}

/// A connection as this library makes them: the end of the parent, and the child's, which can be inherited.
///
/// # Panics
/// If the system refuses.
#[must_use]
pub fn connection_for_child() -> (File, File) {
    use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, HANDLE_FLAG_INHERIT, SetHandleInformation};
    use windows_sys::Win32::Storage::FileSystem::{
        CreateFileW, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, PIPE_ACCESS_DUPLEX,
    };
    use windows_sys::Win32::System::Pipes::CreateNamedPipeW;

    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!(r"\\.\pipe\LOCAL\spawnsafe-connection.test.{}.{count}", std::process::id());
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: the name ends in a zero; there are no attributes.
    let ours = unsafe { CreateNamedPipeW(name.as_ptr(), PIPE_ACCESS_DUPLEX, 0, 1, 1 << 16, 1 << 16, 0, ptr::null()) };
    assert_ne!(ours, INVALID_HANDLE_VALUE);
    // SAFETY: the handle was just made.
    let ours = unsafe { File::from_raw_handle(ours) };
    let rights = GENERIC_READ | GENERIC_WRITE;
    // SAFETY: as above; there is no template.
    let theirs = unsafe {
        CreateFileW(name.as_ptr(), rights, 0, ptr::null(), OPEN_EXISTING, FILE_FLAG_OVERLAPPED, ptr::null_mut())
    };
    assert_ne!(theirs, INVALID_HANDLE_VALUE);
    // SAFETY: the handle was just made.
    let theirs = unsafe { File::from_raw_handle(theirs) };
    // SAFETY: the handle is open.
    let done = unsafe { SetHandleInformation(theirs.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) };
    assert_ne!(done, 0);
    (ours, theirs)
}
