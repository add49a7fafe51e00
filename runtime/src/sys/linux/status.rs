//! What the system tells of this thread in one go, which would take many calls: `/proc/thread-self/status`. And the umask,
//! which no call tells without changing it.

use std::io;

use rustix::fs::{Mode, OFlags};

use crate::sys::unix::spawn::never_ignored;

/// What `/proc` tells about the calling thread.
#[derive(Debug)]
pub(super) struct Status(Vec<u8>);

/// The lines of what a process has from the one that starts it. First those of what it cannot, or should not, take from another
/// one: users, groups, capabilities, session and filters of system calls.
const LINES: [&[u8]; 18] = [
    b"Uid:",
    b"Gid:",
    b"Groups:",
    b"NSsid:",
    b"CapInh:",
    b"CapPrm:",
    b"CapEff:",
    b"CapBnd:",
    b"CapAmb:",
    b"NoNewPrivs:",
    b"Seccomp:",
    b"Seccomp_filters:",
    b"Umask:",
    b"NSpgid:",
    b"THP_enabled:",
    b"SigIgn:",
    b"Cpus_allowed:",
    b"Mems_allowed:",
];

/// How many of the lines come first.
const STANDING: usize = 12;

impl Status {
    pub(super) fn now() -> io::Result<Self> {
        let file = rustix::fs::open(c"/proc/thread-self/status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = Vec::with_capacity(4 << 10);
        loop {
            // It is one record: a read that leaves room has got all of it.
            let count =
                rustix::io::retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(&mut text)))?;
            if count == 0 || text.len() < text.capacity() {
                return Ok(Self(text));
            }
            text.reserve(text.len());
        }
    }

    /// The lines that a child must have as they are, whichever way it is started.
    pub(super) fn standing(&self) -> Vec<u8> {
        self.lines(&LINES[..STANDING])
    }

    /// All that a child has from its parent.
    pub(super) fn inherited(&self) -> Vec<u8> {
        self.lines(&LINES)
    }

    /// Where the compiler knows the names, a start that looks at all of them takes a fifth fewer instructions.
    #[inline(always)]
    fn lines(&self, names: &[&[u8]]) -> Vec<u8> {
        let mut lines = Vec::with_capacity(self.0.len());
        for line in self.0.split_inclusive(|&byte| byte == b'\n') {
            if names.iter().any(|name| name[0] == line[0] && line.starts_with(name)) {
                lines.extend_from_slice(line);
            }
        }
        lines
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let line = self.0.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()))?;
        std::str::from_utf8(line).ok().map(str::trim)
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.field(name)?.parse().ok()
    }

    /// The signals that this process ignores, and that an executed child ignores as well; a bit for each.
    pub(super) fn ignored(&self) -> u64 {
        let all = self.field("SigIgn:").and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
        // Those below `SIGRTMIN` are the C library's own: its `posix_spawn` has each child ignore them, and nobody else may say.
        let of_library = 32..libc::SIGRTMIN();
        never_ignored().chain(of_library).fold(all, |ignored, signal| ignored & !bit(signal))
    }
}

/// The bit of a signal in a set.
pub(super) fn bit(signal: libc::c_int) -> u64 {
    1 << (signal - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_there_once() {
        let status = Status::now().unwrap();
        let (standing, inherited) = (status.standing(), status.inherited());
        let count =
            |text: &[u8], name: &[u8]| text.split(|&byte| byte == b'\n').filter(|line| line.starts_with(name)).count();
        for (index, name) in LINES.into_iter().enumerate() {
            // Younger than the oldest kernel that is supported.
            if ![&b"THP_enabled:"[..], b"Seccomp_filters:"].contains(&name) {
                let shown = String::from_utf8_lossy(&inherited);
                assert_eq!(count(&inherited, name), 1, "{} in {shown}", String::from_utf8_lossy(name));
                assert_eq!(count(&standing, name), usize::from(index < STANDING), "{}", String::from_utf8_lossy(name));
            }
        }
    }
}
