//! A section of memory, mapped.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::ptr::NonNull;

use windows_sys::Win32::System::Memory::{
    FILE_MAP, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS,
    MapViewOfFile, UnmapViewOfFile, VirtualQuery,
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

    /// How many bytes it has that can be looked at, in whole pages.
    pub(super) fn len(&self) -> io::Result<usize> {
        let mut info = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: the call takes any address, and writes at most as many bytes as the structure has.
        let known = unsafe { VirtualQuery(self.0.as_ptr().cast(), &raw mut info, size_of_val(&info)) };
        if known == 0 {
            return Err(io::Error::last_os_error());
        }
        // There may be no memory yet behind a section of somebody else: touching it would end this process.
        if info.State == MEM_COMMIT { Ok(info.RegionSize) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.0.as_ptr().cast() };
        // SAFETY: the view was made by `new`, and whoever has given out references to it has it no longer.
        unsafe { UnmapViewOfFile(view) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::windows::io::AsHandle as _;

    use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
    use windows_sys::Win32::System::Memory::{CreateFileMappingW, PAGE_READWRITE, SEC_RESERVE};

    use super::super::AnyHandle;
    use super::super::handle::opened;
    use super::super::segment::{Segment, section};
    use super::super::stored::Stored;
    use super::*;

    #[test]
    fn a_section_without_memory_is_not_looked_at() {
        // SAFETY: there are no attributes and there is no name, which are the pointers that it could read from.
        let reserved = unsafe {
            let protection = PAGE_READWRITE | SEC_RESERVE;
            CreateFileMappingW(INVALID_HANDLE_VALUE, std::ptr::null(), protection, 0, 1 << 20, std::ptr::null())
        };
        // SAFETY: the handle was just made.
        let reserved = unsafe { opened(reserved) }.unwrap();
        assert!(View::to_read(reserved.as_handle()).unwrap().len().is_err());
        assert!(Stored::open(AnyHandle::from(reserved.try_clone().unwrap())).is_err());
        assert!(Segment::adopt(reserved.into(), 100).is_err());
        let usual = section(100).unwrap();
        assert_eq!(View::to_read(usual.as_handle()).unwrap().len().unwrap(), 4096);
    }
}
