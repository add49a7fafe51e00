//! What shared memory is made of.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, MemfdFlags, SealFlags};

/// So many bytes that have no name anywhere, all zero.
pub(in crate::sys) fn memory_object(len: u64) -> io::Result<OwnedFd> {
    let object = rustix::fs::memfd_create("spawnsafe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&object, len)?;
    // Were it to shrink, looking at it would end this process.
    rustix::fs::fcntl_add_seals(&object, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(object)
}

/// How many bytes there are, and will be.
pub(in crate::sys) fn memory_object_len(object: &OwnedFd) -> io::Result<usize> {
    if !rustix::fs::fcntl_get_seals(object)?.contains(SealFlags::SHRINK) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(usize::try_from(rustix::fs::fstat(object)?.st_size).unwrap_or(0))
}

/// Whether a file of this type may be such memory.
pub(in crate::sys) fn may_be_memory_object(kind: FileType) -> bool {
    kind == FileType::RegularFile
}

/// How sealed memory is mapped: before 6.7 in no other way. As nobody writes to it, no page is ever copied.
pub(in crate::sys) const READ_ONLY: libc::c_int = libc::MAP_PRIVATE;
