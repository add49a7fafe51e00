//! Which types of this system own a handle or a socket, and how each is told from the others when it arrives.

use std::io;
use std::os::windows::io::{AsHandle, AsSocket, OwnedHandle, OwnedSocket};

use super::AnyHandle;
use super::socket::{self, Kind};
use crate::sys::HandleSafe;

/// The system does not tell what a handle is good for. That it is no socket is known.
macro_rules! handles {
    ($($type:ty),* $(,)?) => {$(
        impl HandleSafe for $type {
            fn __into_handle(self) -> io::Result<AnyHandle> {
                Ok(self.into())
            }

            fn __duplicate(&self) -> io::Result<AnyHandle> {
                Ok(self.as_handle().try_clone_to_owned()?.into())
            }

            fn __from_handle(handle: AnyHandle) -> io::Result<Self> {
                match handle {
                    AnyHandle::Handle(_) => Ok(handle.into_handle()?.into()),
                    AnyHandle::Socket(_) => Err(wrong(stringify!($type))),
                }
            }
        }
    )*};
}

handles! {
    OwnedHandle,
    std::fs::File,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
}

macro_rules! sockets {
    ($($type:ty: $kind:expr),* $(,)?) => {$(
        impl HandleSafe for $type {
            fn __into_handle(self) -> io::Result<AnyHandle> {
                Ok(OwnedSocket::from(self).into())
            }

            fn __duplicate(&self) -> io::Result<AnyHandle> {
                Ok(self.as_socket().try_clone_to_owned()?.into())
            }

            fn __from_handle(handle: AnyHandle) -> io::Result<Self> {
                match &handle {
                    AnyHandle::Socket(socket) if is_of(socket, $kind)? => Ok(handle.into_socket()?.into()),
                    _ => Err(wrong(stringify!($type))),
                }
            }
        }
    )*};
}

sockets! {
    OwnedSocket: None,
    std::net::TcpStream: Some(Kind::TcpStream),
    std::net::TcpListener: Some(Kind::TcpListener),
    std::net::UdpSocket: Some(Kind::UdpSocket),
}

/// What comes from another process is what it says, and not what its type promises.
fn is_of(socket: &OwnedSocket, kind: Option<Kind>) -> io::Result<bool> {
    Ok(kind.is_none() || socket::kind(socket)? == kind)
}

fn wrong(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the open handle that has arrived is no `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::handle_tests::{accepted_by, one_of_each};

    #[test]
    fn sockets_are_no_handles() {
        assert_eq!(accepted_by::<OwnedHandle>(one_of_each()), ["file"]);
        assert_eq!(accepted_by::<OwnedSocket>(one_of_each()), ["tcp", "tcp listener", "udp"]);
    }
}
