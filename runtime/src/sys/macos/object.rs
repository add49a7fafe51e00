//! What shared memory is made of.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::shm::{self, OFlags};

/// So many bytes, all zero. shm_open(2): the object stays until its name is gone, which is at once, and nobody has it open
/// any more. ftruncate(2) sets its length once and refuses to do so again: it does not shrink.
pub(in crate::sys) fn memory_object(len: u64) -> io::Result<OwnedFd> {
    let object = unnamed()?;
    rustix::fs::ftruncate(&object, len)?;
    Ok(object)
}

/// Opens an object under a name that nobody else has, and takes the name away. A process that is killed between the two
/// steps leaves the name of an empty object behind.
fn unnamed() -> io::Result<OwnedFd> {
    let mut attempts = 0;
    loop {
        // Longer names than 31 bytes are refused.
        let name = format!("/spawnsafe.{:016x}", RandomState::new().hash_one(std::process::id()));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
        match shm::open(&name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(object) => {
                shm::unlink(&name)?;
                return Ok(object);
            }
            Err(Errno::EXIST | Errno::INTR) if attempts < 10 => attempts += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// How many bytes there are, in whole pages.
pub(in crate::sys) fn memory_object_len(object: &OwnedFd) -> io::Result<usize> {
    Ok(usize::try_from(rustix::fs::fstat(object)?.st_size).unwrap_or(0))
}

/// Whether a file of this type may be such memory. POSIX gives it none: mapping it tells.
pub(in crate::sys) fn may_be_memory_object(kind: FileType) -> bool {
    !matches!(kind, FileType::Socket | FileType::Fifo | FileType::Directory)
}

/// How memory is mapped that can only be read: the system refuses to map such an object privately.
pub(in crate::sys) const READ_ONLY: libc::c_int = libc::MAP_SHARED;
