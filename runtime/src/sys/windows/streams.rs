//! Where the standard streams of a child come from.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
#[cfg(feature = "engines")]
use windows_sys::Win32::System::Console::SetStdHandle;
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};

use super::handle::duplicate;
use super::pipe::{self, Purpose};
use crate::sys::Stdio;
use crate::sys::stdio::StdioKind;

/// The parent's ends of the streams that were asked for as pipes.
#[derive(Debug, Default)]
pub(crate) struct Piped {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

/// One of the three.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Input,
    Output,
    Error,
}

/// A stream of a child that is about to be started.
pub(super) struct Source {
    /// Inheritable. A program without a console may have no such stream.
    child: Option<OwnedHandle>,
    parent: Option<OwnedHandle>,
}

impl Source {
    pub(super) fn of(stdio: &Stdio, target: Target) -> io::Result<Self> {
        let alone = |child| Self { child, parent: None };
        Ok(match stdio.kind() {
            StdioKind::Inherit => alone(own(target)),
            StdioKind::Null => {
                let null = File::options().read(true).write(true).open("NUL")?;
                alone(Some(duplicate(null.as_handle(), true)?))
            }
            StdioKind::Handle(handle) => alone(Some(duplicate(handle.as_handle(), true)?)),
            StdioKind::Pipe(end) => {
                let (parent, child) = target.pipe()?;
                relay(end.try_clone()?, parent, target)?;
                alone(Some(child))
            }
            StdioKind::Piped => {
                let (parent, child) = target.pipe()?;
                Self { child: Some(child), parent: Some(parent) }
            }
        })
    }

    pub(super) fn child(&self) -> HANDLE {
        self.child.as_ref().map_or(ptr::null_mut(), |handle| handle.as_raw_handle())
    }

    pub(super) fn into_parent_end(self) -> Option<OwnedHandle> {
        self.parent
    }
}

impl Target {
    /// A pipe whose second end the child can inherit.
    fn pipe(self) -> io::Result<(OwnedHandle, OwnedHandle)> {
        let purpose = match self {
            Target::Input => Purpose::ChildReads,
            Target::Output | Target::Error => Purpose::ChildWrites,
        };
        let (parent, child) = pipe::pair(purpose)?;
        Ok((parent, duplicate(child.as_handle(), true)?))
    }

    fn number(self) -> STD_HANDLE {
        match self {
            Target::Input => STD_INPUT_HANDLE,
            Target::Output => STD_OUTPUT_HANDLE,
            Target::Error => STD_ERROR_HANDLE,
        }
    }
}

/// This process's own stream, for a child; `None` if it has none, or has closed it.
fn own(target: Target) -> Option<OwnedHandle> {
    // SAFETY: it has no preconditions.
    let handle = unsafe { GetStdHandle(target.number()) };
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return None;
    }
    // SAFETY: the borrow ends with this function. If the handle was closed, the system says so; if its number was given
    // to another object meanwhile, the child gets that, as whatever this process writes to the stream does.
    let handle = unsafe { BorrowedHandle::borrow_raw(handle) };
    duplicate(handle, true).ok()
}

/// Moves bytes between another child's pipe and the one that a new child gets, on a thread of its own. The other's end
/// cannot be handed over: it is overlapped, and no program expects that of its standard streams. std does the same.
fn relay(other: OwnedHandle, new: OwnedHandle, target: Target) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("spawnsafe-relay".into()).stack_size(128 << 10);
    let running = match target {
        Target::Input => {
            let (mut from, mut to) = (ChildStdout::from(other), ChildStdin::from(new));
            thread.spawn(move || drop(io::copy(&mut from, &mut to)))
        }
        Target::Output | Target::Error => {
            let (mut from, mut to) = (ChildStdout::from(new), ChildStdin::from(other));
            thread.spawn(move || drop(io::copy(&mut from, &mut to)))
        }
    };
    running.map(drop)
}

/// What standard input and standard output are connected to. From now on nothing comes from the one, and what is written to
/// the other goes where standard error goes.
#[cfg(feature = "engines")]
pub(crate) fn take_streams() -> io::Result<(File, File)> {
    let taken = |stream| File::from(stream);
    let input = std::io::stdin().as_handle().try_clone_to_owned().map(taken)?;
    let output = std::io::stdout().as_handle().try_clone_to_owned().map(taken)?;
    let errors = std::io::stderr().as_raw_handle();
    // The handle stays open for as long as the process lives.
    let nothing = std::mem::ManuallyDrop::new(File::open("NUL")?);
    for (stream, handle) in [(STD_INPUT_HANDLE, nothing.as_raw_handle()), (STD_OUTPUT_HANDLE, errors)] {
        // SAFETY: the call takes any handle; both stay open for as long as the process lives.
        if unsafe { SetStdHandle(stream, handle) } == 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok((input, output))
}
