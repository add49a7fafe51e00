//! Bytes in memory that another process can be given: for what is too long for a packet.

use std::io::{self, IoSlice, Read};
use std::os::fd::OwnedFd;

use rustix::fs::SealFlags;
use rustix::io::Errno;

use super::object::memory_file;
use crate::sys::OwnedHandle;

/// Puts bytes into new memory. It is written and not mapped, which for fresh memory is faster.
pub(crate) fn store<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<OwnedHandle> {
    let fd = memory_file("spawnsafe", pieces.clone().map(|piece| piece.len() as u64).sum())?;
    for mut piece in pieces {
        while !piece.is_empty() {
            match rustix::io::writev(&fd, &[IoSlice::new(piece)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => piece = &piece[count..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(fd)
}

/// Bytes that another process has stored, to be read once.
#[derive(Debug)]
pub(crate) struct Stored {
    fd: OwnedFd,
    at: u64,
    len: u64,
}

impl Stored {
    /// An error for whatever is no such memory, or claims more than was written.
    pub(crate) fn open(fd: OwnedHandle) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let written = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        let sealed = rustix::fs::fcntl_get_seals(&fd)?.contains(SealFlags::SHRINK | SealFlags::WRITE);
        if sealed && len <= written { Ok(Self { fd, at: 0, len }) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

impl Read for Stored {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = rustix::io::pread(&self.fd, buf, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::MemfdFlags;

    use super::*;

    fn refused(fd: OwnedFd) {
        assert!(Stored::open(fd).is_err());
    }

    #[test]
    fn what_is_stored_is_read() {
        let mut stored = Stored::open(store([&b"ab"[..], b"", b"cde"].into_iter()).unwrap()).unwrap();
        assert_eq!(stored.len(), 5);
        let mut bytes = Vec::new();
        stored.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"abcde");
        assert!(rustix::io::write(&stored.fd, b"x").is_err());
    }

    /// What claims to be long would have us allocate memory for what was never written.
    #[test]
    fn anything_else_is_refused() {
        let memory = || rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        let claims = memory();
        rustix::fs::ftruncate(&claims, 1 << 30).unwrap();
        rustix::fs::fcntl_add_seals(&claims, SealFlags::SHRINK | SealFlags::WRITE).unwrap();
        refused(claims);
        let unsealed = memory();
        rustix::io::write(&unsealed, b"x").unwrap();
        refused(unsealed);
        refused(std::fs::File::open("/dev/zero").unwrap().into());
        refused(std::fs::File::open("/proc/self/exe").unwrap().into());
    }
}
