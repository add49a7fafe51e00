//! How a process ended, in a form that means the same on every system and can travel.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a child process ended.
///
/// `std::process::ExitStatus` is a number whose meaning depends on the system; this type is the same on all of them
/// and may be passed between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExitStatus(How);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum How {
    Code(i32),
    Signal { number: i32, core_dumped: bool },
    Exception(u32),
}

impl ExitStatus {
    pub(crate) fn from_code(code: i32) -> Self {
        Self(How::Code(code))
    }

    #[allow(dead_code)] // Each system has one of these two.
    pub(crate) fn from_signal(number: i32, core_dumped: bool) -> Self {
        Self(How::Signal { number, core_dumped })
    }

    #[allow(dead_code)]
    pub(crate) fn from_exception(status: u32) -> Self {
        Self(How::Exception(status))
    }

    /// Whether the process exited with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code() == Some(0)
    }

    /// The exit code, or `None` if a signal or an exception ended the process.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self.0 {
            How::Code(code) => Some(code),
            How::Signal { .. } | How::Exception(_) => None,
        }
    }

    /// The number of the signal that ended the process. Always `None` on Windows.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        match self.0 {
            How::Signal { number, .. } => Some(number),
            How::Code(_) | How::Exception(_) => None,
        }
    }

    /// The status of the exception that ended the process (an `NTSTATUS`, such as `0xC0000005` for an access
    /// violation). Always `None` on other systems than Windows.
    #[must_use]
    pub fn exception(&self) -> Option<u32> {
        match self.0 {
            How::Exception(status) => Some(status),
            How::Code(_) | How::Signal { .. } => None,
        }
    }

    /// Whether the process left a core dump.
    #[must_use]
    pub fn core_dumped(&self) -> bool {
        matches!(self.0, How::Signal { core_dumped: true, .. })
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            How::Code(code) => write!(f, "exit status {code}"),
            How::Signal { number, core_dumped } => {
                write!(f, "signal {number}")?;
                if let Some(name) = signal_name(number) {
                    write!(f, " ({name})")?;
                }
                if core_dumped {
                    f.write_str(", core dumped")?;
                }
                Ok(())
            }
            How::Exception(status) => match exception_name(status) {
                Some(name) => write!(f, "exception {status:#010X} ({name})"),
                None => write!(f, "exception {status:#010X}"),
            },
        }
    }
}

/// The exceptions that end programs.
fn exception_name(status: u32) -> Option<&'static str> {
    Some(match status {
        0xC000_0005 => "access violation",
        0xC000_001D => "illegal instruction",
        0xC000_0094 => "integer division by zero",
        0xC000_00FD => "stack overflow",
        0xC000_013A => "Ctrl-C",
        0xC000_0135 => "a DLL was not found",
        0xC000_0139 => "a DLL lacks a function",
        0xC000_0142 => "a DLL could not be initialized",
        0xC000_0374 => "heap corruption",
        0xC000_0409 => "abort, or a stack buffer overrun",
        _ => return None,
    })
}

/// The signals whose numbers POSIX fixes, and those that are the same on Linux and macOS: the ones that end processes.
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_well() {
        assert_eq!(ExitStatus::from_code(3).to_string(), "exit status 3");
        assert_eq!(ExitStatus::from_signal(9, false).to_string(), "signal 9 (SIGKILL)");
        assert_eq!(ExitStatus::from_exception(0xC000_0005).to_string(), "exception 0xC0000005 (access violation)");
        assert_eq!(ExitStatus::from_signal(34, true).to_string(), "signal 34, core dumped");
    }
}
