//! Memory that is filled by one process and then read by many: shared memory objects of POSIX, which are handed out through
//! a descriptor that can only be read.
//!
//! There are no seals here. The descriptor that can write is closed when the memory is sealed, and no process can make one
//! out of that which cannot: a mapping of it cannot be made writable either. What a receiver cannot verify is that its
//! sender has no other one.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FileType, OFlags};
use rustix::io::FdFlags;

use crate::sys::unix::mapping::Mapping;

/// Memory of this process alone, all zero at first, that can become a [`Segment`].
#[derive(Debug)]
pub(crate) struct SegmentMut {
    mapping: Mapping,
    /// That can only be read. The one that could write is closed once the memory is mapped.
    fd: OwnedFd,
    len: usize,
}

/// Memory that no process of this library can write to any more.
#[derive(Debug)]
pub(crate) struct Segment {
    mapping: Mapping,
    fd: Arc<OwnedFd>,
}

impl SegmentMut {
    /// `len` is not 0.
    pub(crate) fn zeroed(len: usize) -> io::Result<Self> {
        let (fd, read_only) = object()?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        // SAFETY: the object was just made, and has no name any more. Its length can be set once (ftruncate(2)), and was.
        // Nobody else has a descriptor of it.
        let mapping = unsafe { Mapping::to_write(&fd, len)? };
        Ok(Self { mapping, fd: read_only, len })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: it was made by `to_write`.
        unsafe { self.mapping.bytes_mut() }
    }

    /// Makes it such that no process of this library can write to it.
    pub(crate) fn seal(self) -> io::Result<Segment> {
        let Self { mapping, fd, len } = self;
        drop(mapping);
        // SAFETY: nothing can write any more: neither a mapping nor a descriptor that could is left. The length is set.
        let mapping = unsafe { Mapping::to_read(&fd, len)? };
        Ok(Segment { mapping, fd: Arc::new(fd) })
    }
}

impl Segment {
    /// What has come from another process as a segment of `len` bytes, which is not 0.
    pub(crate) fn adopt(fd: OwnedFd, len: usize) -> io::Result<Self> {
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidData, message);
        if rustix::fs::fcntl_getfl(&fd)? & OFlags::RWMODE != OFlags::RDONLY {
            return Err(invalid("the memory that has arrived could still be written to"));
        }
        let stat = rustix::fs::fstat(&fd)?;
        // Which has no type. A file could be made shorter, and looking at it then would end this process.
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            return Err(invalid("what has arrived is a file, and no memory"));
        }
        // The system may say how long it is in whole pages.
        let there = u64::try_from(stat.st_size).unwrap_or(0);
        if there < len as u64 {
            return Err(invalid("the memory that has arrived is shorter than was said"));
        }
        // SAFETY: it is long enough, and an object of this system does not change its length. That nobody writes to it is
        // what `seal` has left it with, in a process that runs this program: see the head of this file.
        let mapping = unsafe { Mapping::to_read(&fd, len)? };
        Ok(Self { mapping, fd: Arc::new(fd) })
    }

    /// Nothing here tells a segment from another one for certain.
    pub(crate) fn identity(_: &OwnedFd, _: usize) -> Option<crate::sys::Identity> {
        None
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    /// What another process [adopts](Self::adopt).
    pub(crate) fn handle(&self) -> &Arc<OwnedFd> {
        &self.fd
    }

    /// The same, for whoever does not look at it any more.
    pub(in crate::sys) fn into_handle(self) -> io::Result<OwnedFd> {
        Arc::try_unwrap(self.fd).or_else(|shared| shared.try_clone())
    }
}

/// A new object without a name, by a descriptor that can write and one that cannot.
fn object() -> io::Result<(OwnedFd, OwnedFd)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Names have at most 31 bytes.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = std::ffi::CString::new(format!("/spawnsafe-{}-{number}", std::process::id()))?;
        let made = open(&name, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL);
        // That of a process with this number that was killed between the next two steps.
        let fd = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        };
        let read_only = open(&name, libc::O_RDONLY);
        // SAFETY: shm_unlink(2) reads the name, a C string, and touches no other memory.
        unsafe { libc::shm_unlink(name.as_ptr()) };
        return Ok((fd, read_only?));
    }
}

/// A descriptor that no program inherits; with the reservation of [`pipe`](super::pipe).
fn open(name: &std::ffi::CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: shm_open(2) reads the name, a C string; its third argument is a mode, as an `int` goes through `...`.
    let fd = unsafe { libc::shm_open(name.as_ptr(), flags, 0o600 as libc::c_int) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just opened, and nobody else knows its number.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
