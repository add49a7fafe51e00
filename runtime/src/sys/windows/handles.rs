//! Which types of this system own a handle. None travels yet: see [`Stream::write`](super::Stream::write).

use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};

use crate::sys::HandleSafe;

macro_rules! handle_safe {
    ($($type:ty),* $(,)?) => {$(
        impl HandleSafe for $type {
            fn __into_handle(self) -> io::Result<OwnedHandle> {
                Ok(self.into())
            }

            fn __duplicate(&self) -> io::Result<OwnedHandle> {
                self.as_handle().try_clone_to_owned()
            }

            fn __from_handle(handle: OwnedHandle) -> io::Result<Self> {
                Ok(handle.into())
            }
        }
    )*};
}

handle_safe! {
    OwnedHandle,
    std::fs::File,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
}

/// A socket is more than its handle.
macro_rules! sockets {
    ($($type:ty),* $(,)?) => {$(
        impl HandleSafe for $type {
            fn __into_handle(self) -> io::Result<OwnedHandle> {
                Err(not_yet())
            }

            fn __duplicate(&self) -> io::Result<OwnedHandle> {
                Err(not_yet())
            }

            fn __from_handle(_: OwnedHandle) -> io::Result<Self> {
                Err(not_yet())
            }
        }
    )*};
}

sockets! {
    std::os::windows::io::OwnedSocket,
    std::net::TcpStream,
    std::net::TcpListener,
    std::net::UdpSocket,
}

fn not_yet() -> io::Error {
    let message = "spawnsafe cannot pass sockets to another process on Windows yet";
    io::Error::new(io::ErrorKind::Unsupported, message)
}
