//! Memory that is filled by one process and then read by many: a section without a name, backed by the page file, which is
//! handed out by a handle that can only be read.
//!
//! There are no seals here. The handle that can write is closed when the memory is sealed, and its access list is empty, so
//! that no process can make one out of that which cannot. What a receiver cannot verify is that its sender has no other
//! one.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::ptr;
use std::slice;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{DuplicateHandle, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::{
    ACL, ACL_REVISION, InitializeAcl, InitializeSecurityDescriptor, SECURITY_ATTRIBUTES, SECURITY_DESCRIPTOR,
    SetSecurityDescriptorDacl,
};
use windows_sys::Win32::System::Memory::{CreateFileMappingW, PAGE_READWRITE, SECTION_MAP_READ, SECTION_QUERY};
use windows_sys::Win32::System::SystemServices::SECURITY_DESCRIPTOR_REVISION;
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::AnyHandle;
use super::handle::{check, opened};
use super::view::View;

/// Memory of this process alone, all zero at first, that can become a [`Segment`].
#[derive(Debug)]
pub(crate) struct SegmentMut {
    view: View,
    section: OwnedHandle,
    len: usize,
}

/// Memory that no process of this library can write to any more.
#[derive(Debug)]
pub(crate) struct Segment {
    view: View,
    section: Arc<AnyHandle>,
    len: usize,
}

impl SegmentMut {
    /// `len` is not 0.
    pub(crate) fn zeroed(len: usize) -> io::Result<Self> {
        let section = section(len)?;
        Ok(Self { view: View::to_write(section.as_handle())?, section, len })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the view has this length, and nobody else has the section. Who writes to it borrows `self` uniquely.
        unsafe { slice::from_raw_parts(self.view.start().as_ptr(), self.len) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; it was mapped to be written.
        unsafe { slice::from_raw_parts_mut(self.view.start().as_ptr(), self.len) }
    }

    /// Another handle to it.
    #[cfg(test)]
    pub(in crate::sys) fn writable(&self) -> io::Result<AnyHandle> {
        self.section.try_clone().map(AnyHandle::from)
    }

    /// Makes it such that no process of this library can write to it.
    pub(crate) fn seal(self) -> io::Result<Segment> {
        let Self { view, section, len } = self;
        let read_only = read_only(&section)?;
        drop((view, section));
        Ok(Segment { view: View::to_read(read_only.as_handle())?, section: Arc::new(read_only.into()), len })
    }
}

impl Segment {
    /// What has come from another process as a segment of `len` bytes, which is not 0.
    pub(crate) fn adopt(section: AnyHandle, len: usize) -> io::Result<Self> {
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidData, message);
        let section = section.into_handle().map_err(|_| invalid("what has arrived is no memory"))?;
        if View::to_write(section.as_handle()).is_ok() {
            return Err(invalid("the memory that has arrived could still be written to"));
        }
        let view = View::to_read(section.as_handle()).map_err(|_| invalid("what has arrived is no memory"))?;
        // The system counts in whole pages.
        if view.len()? < len {
            return Err(invalid("the memory that has arrived is shorter than was said"));
        }
        Ok(Self { view, section: Arc::new(section.into()), len })
    }

    pub(crate) fn identity(_: &AnyHandle, _: usize) -> Option<crate::sys::Identity> {
        None
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the view has this length. That nobody writes to it is what `seal` has left it with, in a process that
        // runs this program: see the head of this file.
        unsafe { slice::from_raw_parts(self.view.start().as_ptr(), self.len) }
    }

    /// What another process [adopts](Self::adopt).
    pub(crate) fn handle(&self) -> &Arc<AnyHandle> {
        &self.section
    }
}

/// A new section that nobody may open again, whoever has a handle to it.
pub(super) fn section(len: usize) -> io::Result<OwnedHandle> {
    let mut nobody = ACL::default();
    // SAFETY: the call writes to the list, of this size.
    check(unsafe { InitializeAcl(&raw mut nobody, size_of_val(&nobody) as u32, ACL_REVISION) })?;
    let mut security = SECURITY_DESCRIPTOR::default();
    let security = (&raw mut security).cast();
    // SAFETY: the call writes to the descriptor.
    check(unsafe { InitializeSecurityDescriptor(security, SECURITY_DESCRIPTOR_REVISION) })?;
    // SAFETY: the descriptor is initialized, and refers to the list, which lives as long as it does.
    check(unsafe { SetSecurityDescriptorDacl(security, 1, &raw const nobody, 0) })?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: security,
        bInheritHandle: 0,
    };
    let (high, low) = ((len as u64 >> 32) as u32, len as u32);
    // SAFETY: the attributes and what they refer to are valid for the call, and there is no name. What is no file stands for
    // the page file.
    let section = unsafe {
        CreateFileMappingW(INVALID_HANDLE_VALUE, &raw const attributes, PAGE_READWRITE, high, low, ptr::null())
    };
    // SAFETY: the handle was just made.
    unsafe { opened(section) }
}

/// A handle to the same section that can only be read.
fn read_only(section: &OwnedHandle) -> io::Result<OwnedHandle> {
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    let mut copy = ptr::null_mut();
    // SAFETY: the handle is open; the call writes to `copy`.
    let done = unsafe {
        let access = SECTION_MAP_READ | SECTION_QUERY;
        DuplicateHandle(this, section.as_raw_handle(), this, &raw mut copy, access, 0, 0)
    };
    check(done)?;
    // SAFETY: the call above has succeeded and made this handle.
    unsafe { opened(copy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::segment_tests::filled;

    #[test]
    fn nobody_can_write_to_what_is_sealed() {
        let sealed = filled(100).seal().unwrap();
        assert!(View::to_write(sealed.handle().handle().unwrap().as_handle()).is_err());
    }
}
