//! Which types of these systems own a descriptor, and how each is told from the others when it arrives.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::FileType;
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::sys::HandleSafe;
use crate::sys::imp::accepts_connections;

/// What a descriptor must be to become a value of a type.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Anything,
    /// A file, a directory, a pipe, a device.
    NoSocket,
    Internet(SocketType, Accepts),
    Local(SocketType, Accepts),
}

type Accepts = bool;

macro_rules! handle_safe {
    ($($type:ty: $kind:expr),* $(,)?) => {$(
        impl HandleSafe for $type {
            fn __into_handle(self) -> io::Result<OwnedFd> {
                Ok(self.into())
            }

            fn __duplicate(&self) -> io::Result<OwnedFd> {
                self.as_fd().try_clone_to_owned()
            }

            fn __from_handle(handle: OwnedFd) -> io::Result<Self> {
                check(&handle, $kind, stringify!($type))?;
                Ok(handle.into())
            }
        }
    )*};
}

handle_safe! {
    OwnedFd: Kind::Anything,
    std::fs::File: Kind::NoSocket,
    std::process::ChildStdin: Kind::Anything,
    std::process::ChildStdout: Kind::Anything,
    std::process::ChildStderr: Kind::Anything,
    std::net::TcpStream: Kind::Internet(SocketType::STREAM, false),
    std::net::TcpListener: Kind::Internet(SocketType::STREAM, true),
    std::net::UdpSocket: Kind::Internet(SocketType::DGRAM, false),
    std::os::unix::net::UnixStream: Kind::Local(SocketType::STREAM, false),
    std::os::unix::net::UnixListener: Kind::Local(SocketType::STREAM, true),
    std::os::unix::net::UnixDatagram: Kind::Local(SocketType::DGRAM, false),
}

/// What comes from another process is what it says, and not what its type promises.
fn check(handle: &OwnedFd, kind: Kind, name: &str) -> io::Result<()> {
    let is_right = match kind {
        Kind::Anything => true,
        Kind::NoSocket => FileType::from_raw_mode(rustix::fs::fstat(handle)?.st_mode) != FileType::Socket,
        Kind::Internet(ty, accepts) => {
            matches!(family(handle)?, AddressFamily::INET | AddressFamily::INET6) && is_of(handle, ty, accepts)?
        }
        Kind::Local(ty, accepts) => family(handle)? == AddressFamily::UNIX && is_of(handle, ty, accepts)?,
    };
    if is_right { Ok(()) } else { Err(wrong(name)) }
}

fn family(handle: &OwnedFd) -> io::Result<AddressFamily> {
    Ok(rustix::net::getsockname(handle)?.address_family())
}

/// Whether it is this sort of socket. Where the system does not tell whether it accepts, it may be either.
fn is_of(handle: &OwnedFd, ty: SocketType, accepts: Accepts) -> io::Result<bool> {
    let told = if ty == SocketType::STREAM { accepts_connections(handle)? } else { None };
    Ok(sockopt::socket_type(handle)? == ty && told.is_none_or(|told| told == accepts))
}

fn wrong(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the open handle that has arrived is no `{name}`"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;
    use crate::sys::handle_tests::{accepted_by, one_of_each};

    /// One of each kind that there is besides.
    fn others() -> Vec<(&'static str, OwnedFd)> {
        let path = std::env::temp_dir().join(format!("spawnsafe-{}-handles", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let local = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        vec![
            ("pipe", crate::sys::imp::pipe().unwrap().0),
            ("unix", UnixStream::pair().unwrap().0.into()),
            ("unix listener", local.into()),
            ("unix datagram", UnixDatagram::pair().unwrap().0.into()),
        ]
    }

    #[test]
    fn local_sockets_and_pipes_are_told_from_the_others() {
        let everything = || one_of_each().into_iter().chain(others()).collect::<Vec<_>>();
        assert_eq!(accepted_by::<OwnedFd>(everything()).len(), 8);
        assert_eq!(accepted_by::<UnixStream>(everything()), ["unix"]);
        assert_eq!(accepted_by::<UnixListener>(everything()), ["unix listener"]);
        assert_eq!(accepted_by::<UnixDatagram>(everything()), ["unix datagram"]);
        assert_eq!(accepted_by::<File>(others()), ["pipe"]);
        assert!(accepted_by::<TcpStream>(others()).is_empty());
        assert!(accepted_by::<TcpListener>(others()).is_empty());
        assert!(accepted_by::<UdpSocket>(others()).is_empty());
    }
}
