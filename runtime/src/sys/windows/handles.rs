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
    use std::fs::File;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    fn one_of_each() -> Vec<(&'static str, AnyHandle)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        vec![
            ("file", File::open(std::env::current_exe().unwrap()).unwrap().into()),
            ("tcp", stream.__into_handle().unwrap()),
            ("tcp listener", listener.__into_handle().unwrap()),
            ("udp", udp.__into_handle().unwrap()),
        ]
    }

    fn accepted_by<T: HandleSafe>() -> Vec<&'static str> {
        let all = one_of_each().into_iter();
        all.filter_map(|(name, handle)| T::__from_handle(handle).ok().map(|_| name)).collect()
    }

    #[test]
    fn each_type_takes_its_own_kind_only() {
        assert_eq!(accepted_by::<OwnedHandle>(), ["file"]);
        assert_eq!(accepted_by::<File>(), ["file"]);
        assert_eq!(accepted_by::<OwnedSocket>(), ["tcp", "tcp listener", "udp"]);
        assert_eq!(accepted_by::<TcpStream>(), ["tcp"]);
        assert_eq!(accepted_by::<TcpListener>(), ["tcp listener"]);
        assert_eq!(accepted_by::<UdpSocket>(), ["udp"]);
    }
}
