//! What shared memory is made of.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// A new memory file, which is empty, and which may get so many bytes. An error where it may not: the limit of the size of files
/// is that of such memory as well, and whoever goes beyond gets a signal that ends the process.
pub(super) fn memory_file(name: &str, len: u64) -> io::Result<OwnedFd> {
    if getrlimit(Resource::Fsize).current.is_some_and(|limit| len > limit) {
        let message = format!("{len} bytes are more than files of this process may have (`ulimit -f`)");
        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(name, flags) {
        // A system may want to be told that nobody will execute it (`vm.memfd_noexec`). Older ones do not know what that means.
        Err(Errno::ACCESS) => Ok(rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)?),
        made => Ok(made?),
    }
}

/// So many bytes that have no name anywhere, all zero.
pub(in crate::sys) fn memory_object(len: u64) -> io::Result<OwnedFd> {
    let object = memory_file("spawnsafe", len)?;
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
