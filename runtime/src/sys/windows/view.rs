//! A section of memory, mapped.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::ptr::NonNull;

use windows_sys::Win32::System::Memory::{
    FILE_MAP, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    UnmapViewOfFile, VirtualQuery,
};

/// What is mapped until it is dropped. No section becomes smaller.
#[derive(Debug)]
pub(super) struct View(NonNull<u8>);

// SAFETY: the memory belongs to no thread. What may be done with it is the business of who has mapped it.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Maps all of the section, to be read.
    pub(super) fn to_read(section: BorrowedHandle<'_>) -> io::Result<Self> {
        Self::new(section, FILE_MAP_READ)
    }

    /// Maps all of the section, to be read and written.
    pub(super) fn to_write(section: BorrowedHandle<'_>) -> io::Result<Self> {
        Self::new(section, FILE_MAP_READ | FILE_MAP_WRITE)
    }

    fn new(section: BorrowedHandle<'_>, access: FILE_MAP) -> io::Result<Self> {
        // SAFETY: the view is new, at an address of the system's choice. The handle is open; of one that is no section
        // the call says so.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, 0) };
        NonNull::new(view.Value.cast()).map(Self).ok_or_else(io::Error::last_os_error)
    }

    /// Where it begins, at the start of a page.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.0
    }

    /// How many bytes it has, in whole pages.
    pub(super) fn len(&self) -> io::Result<usize> {
        let mut info = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: the call takes any address, and writes at most as many bytes as the structure has.
        let known = unsafe { VirtualQuery(self.0.as_ptr().cast(), &raw mut info, size_of_val(&info)) };
        if known == 0 { Err(io::Error::last_os_error()) } else { Ok(info.RegionSize) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.0.as_ptr().cast() };
        // SAFETY: the view was made by `new`, and whoever has given out references to it has it no longer.
        unsafe { UnmapViewOfFile(view) };
    }
}
