//! What is open in this process and can travel: a handle of the kernel, or a socket.
//!
//! A socket looks like a handle, and must not be taken for one. It is duplicated and closed by calls of its own, as there may
//! be more to it than the kernel knows. So what has been one of the two never becomes the other.

use std::fs::File;
use std::io;
use std::os::windows::io::{OwnedHandle, OwnedSocket};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;

/// Closes when the last clone is dropped: a clone is the same one, and [`try_clone`](Self::try_clone) makes another.
#[derive(Clone, Debug)]
pub enum AnyHandle {
    /// Of anything but a socket.
    Handle(Arc<OwnedHandle>),
    /// A socket.
    Socket(Arc<OwnedSocket>),
}

impl AnyHandle {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            AnyHandle::Handle(handle) => handle.try_clone()?.into(),
            AnyHandle::Socket(socket) => socket.try_clone()?.into(),
        })
    }

    /// `None` for a socket.
    pub(super) fn handle(&self) -> Option<&Arc<OwnedHandle>> {
        match self {
            AnyHandle::Handle(handle) => Some(handle),
            AnyHandle::Socket(_) => None,
        }
    }

    /// `None` for anything else.
    pub(super) fn socket(&self) -> Option<&Arc<OwnedSocket>> {
        match self {
            AnyHandle::Handle(_) => None,
            AnyHandle::Socket(socket) => Some(socket),
        }
    }

    /// Takes it out; an error for a socket.
    pub(super) fn into_handle(self) -> io::Result<OwnedHandle> {
        match self {
            AnyHandle::Handle(handle) => Arc::try_unwrap(handle).or_else(|shared| shared.try_clone()),
            AnyHandle::Socket(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Takes it out; an error for anything else.
    pub(super) fn into_socket(self) -> io::Result<OwnedSocket> {
        match self {
            AnyHandle::Handle(_) => Err(io::ErrorKind::InvalidData.into()),
            AnyHandle::Socket(socket) => Arc::try_unwrap(socket).or_else(|shared| shared.try_clone()),
        }
    }
}

impl From<Arc<OwnedHandle>> for AnyHandle {
    fn from(handle: Arc<OwnedHandle>) -> Self {
        AnyHandle::Handle(handle)
    }
}

impl From<OwnedSocket> for AnyHandle {
    fn from(socket: OwnedSocket) -> Self {
        AnyHandle::Socket(Arc::new(socket))
    }
}

macro_rules! from_handles {
    ($($type:ty),* $(,)?) => {$(
        impl From<$type> for AnyHandle {
            fn from(handle: $type) -> Self {
                AnyHandle::Handle(Arc::new(handle.into()))
            }
        }
    )*};
}

from_handles!(OwnedHandle, File, ChildStdin, ChildStdout, ChildStderr);
