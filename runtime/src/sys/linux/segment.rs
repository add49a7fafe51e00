//! Memory that is filled by one process, sealed, and then read by many: memory files with seals.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::SealFlags;
use rustix::io::Errno;

use super::object::memory_file;
use crate::sys::Identity;
use crate::sys::unix::mapping::Mapping;

/// Memory of this process alone, all zero at first, that can become a [`Segment`].
#[derive(Debug)]
pub(crate) struct SegmentMut {
    mapping: Mapping,
    fd: OwnedFd,
    len: usize,
}

/// Memory that nobody can write to any more, in whichever process.
#[derive(Debug)]
pub(crate) struct Segment {
    mapping: Mapping,
    fd: Arc<OwnedFd>,
}

/// The memory keeps its length …
const LENGTH: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
/// … and its content.
const CONTENT: SealFlags = SealFlags::WRITE.union(SealFlags::SEAL);

/// How long memory may be in use elsewhere when it is to be sealed, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(1);

impl SegmentMut {
    /// `len` is not 0.
    pub(crate) fn zeroed(len: usize) -> io::Result<Self> {
        let fd = memory_file("spawnsafe-shared", len as u64)?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        rustix::fs::fcntl_add_seals(&fd, LENGTH)?;
        // SAFETY: the file was just made with this length, which is sealed. Its descriptor is in no other hands before it
        // is sealed against writing as well. (A process of this user that opens it through `/proc` does what a debugger
        // does.)
        let mut mapping = unsafe { Mapping::to_write(&fd, len)? };
        keep_from_copies(&mut mapping);
        Ok(Self { mapping, fd, len })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: it was made by `to_write`.
        unsafe { self.mapping.bytes_mut() }
    }

    /// Another descriptor of it.
    #[cfg(test)]
    pub(in crate::sys) fn writable(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// Makes it such that nobody can write to it.
    pub(crate) fn seal(self) -> io::Result<Segment> {
        let Self { mapping, fd, len } = self;
        // The system seals nothing that could still be written through a mapping.
        drop(mapping);
        add_seals(&fd)?;
        // SAFETY: length and content are sealed now, for good.
        let mapping = unsafe { Mapping::to_read(&fd, len)? };
        Ok(Segment { mapping, fd: Arc::new(fd) })
    }
}

/// What another thread forks meanwhile does not get the mapping, through which it could write, and which would keep the memory
/// from being sealed until it executes a program.
fn keep_from_copies(mapping: &mut Mapping) {
    // SAFETY: it was made by `to_write`.
    let bytes = unsafe { mapping.bytes_mut() };
    // SAFETY: madvise(2) with MADV_DONTFORK changes what a copy of this process has, and nothing here. The range is a mapping.
    // Where it is refused, sealing may have to wait.
    unsafe { libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), libc::MADV_DONTFORK) };
}

/// Tries again for a while: a copy of this process that was made just before the mapping was kept from copies has it until it
/// executes a program, most often within a millisecond.
fn add_seals(fd: &OwnedFd) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match rustix::fs::fcntl_add_seals(fd, CONTENT) {
            Err(Errno::BUSY) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            sealed => return Ok(sealed?),
        }
    }
}

impl Segment {
    /// What has come from another process as a segment of `len` bytes, which is not 0. That it is one is verified.
    pub(crate) fn adopt(fd: OwnedFd, len: usize) -> io::Result<Self> {
        let seals = rustix::fs::fcntl_get_seals(&fd).unwrap_or(SealFlags::empty());
        // Of huge pages there may be none left when one is looked at, which would end this process.
        let is_ordinary = rustix::fs::fstatfs(&fd)?.f_type as u32 == libc::TMPFS_MAGIC as u32;
        if !is_ordinary || !seals.contains(SealFlags::SHRINK | SealFlags::WRITE) {
            let message = "the memory that has arrived is not sealed: another process could change it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if u64::try_from(rustix::fs::fstat(&fd)?.st_size) != Ok(len as u64) {
            let message = "the memory that has arrived has another length than was said";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        // SAFETY: it has this length, and both length and content are sealed: no process can change them, nor take a seal
        // off.
        let mapping = unsafe { Mapping::to_read(&fd, len)? };
        Ok(Self { mapping, fd: Arc::new(fd) })
    }

    /// What tells a segment from all others, as long as it is there: the file, and when it was made and sealed. (The
    /// numbers of files alone come again after some billions of them.)
    pub(crate) fn identity(fd: &OwnedFd, len: usize) -> Option<Identity> {
        let stat = rustix::fs::fstat(fd).ok().filter(|stat| u64::try_from(stat.st_size) == Ok(len as u64))?;
        Some([stat.st_dev.into(), stat.st_ino.into(), stat.st_ctime.into(), stat.st_ctime_nsec.into()])
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    /// What another process [adopts](Self::adopt).
    pub(crate) fn handle(&self) -> &Arc<OwnedFd> {
        &self.fd
    }

    /// The same, for whoever does not look at it any more.
    #[cfg(spawnsafe_datagram_queue)]
    pub(in crate::sys) fn into_handle(self) -> io::Result<OwnedFd> {
        Arc::try_unwrap(self.fd).or_else(|shared| shared.try_clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::segment_tests::filled;

    #[test]
    fn nobody_can_write_to_what_is_sealed() {
        let sealed = filled(100).seal().unwrap();
        let fd = sealed.handle();
        assert!(rustix::io::write(&**fd, b"x").is_err());
        assert!(rustix::fs::ftruncate(&**fd, 50).is_err());
        assert!(rustix::fs::ftruncate(&**fd, 5000).is_err());
        // SAFETY: it fails.
        assert!(unsafe { Mapping::to_write(&**fd, 100) }.is_err());
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&**fd));
        if let Ok(mut again) = std::fs::File::options().write(true).open(path) {
            assert!(io::Write::write(&mut again, b"x").is_err());
        }
    }
}
