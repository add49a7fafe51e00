//! The file that this program runs, wherever it is by now.
//!
//! A file that is being executed can be neither written nor deleted, but it can be renamed, and another put in its place:
//! that is how programs update themselves. The name alone may then be another program's, with another `main`.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_SHARE_DELETE, FILE_SHARE_READ, GetFileInformationByHandle,
    GetFinalPathNameByHandleW,
};

use super::build;
use super::handle::check;

/// A path under which the very file that this process runs can be started.
pub(super) fn path() -> io::Result<PathBuf> {
    // Kept open, so that the file is known whatever becomes of its name. Anybody may still rename it.
    static OPENED: Mutex<Option<&'static File>> = Mutex::new(None);
    let path = std::env::current_exe()?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match *opened {
        Some(file) => file,
        None => *opened.insert(Box::leak(Box::new(open_own(&path)?))),
    };
    if is_at(file, &path) {
        return Ok(path);
    }
    let path = current_path(file)?;
    if is_at(file, &path) {
        return Ok(path);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the system does not tell what the program's file is called now"))
}

fn is_at(file: &File, path: &Path) -> bool {
    open(path).and_then(|found| Ok(identity(&found)? == identity(file)?)).unwrap_or(false)
}

/// Opens the file as long as it is this program's.
fn open_own(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    let mut start = Vec::new();
    (&file).take(build::PAGE as u64).read_to_end(&mut start)?;
    if build::is_of_this_build(&start) {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the program's file was replaced by another one"))
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE).open(path)
}

/// The volume and the number of the file.
fn identity(file: &File) -> io::Result<(u32, u32, u32)> {
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the call writes to `info`.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut info) })?;
    Ok((info.dwVolumeSerialNumber, info.nFileIndexHigh, info.nFileIndexLow))
}

/// What the file is called now.
fn current_path(file: &File) -> io::Result<PathBuf> {
    let mut path = vec![0_u16; 32 << 10];
    // SAFETY: the handle is open; the call writes at most as many units as the buffer has.
    let len = unsafe { GetFinalPathNameByHandleW(file.as_raw_handle(), path.as_mut_ptr(), path.len() as u32, 0) };
    if len == 0 {
        return Err(io::Error::last_os_error());
    }
    path.truncate(len as usize);
    Ok(OsString::from_wide(&path).into())
}
