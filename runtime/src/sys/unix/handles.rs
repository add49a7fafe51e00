//! Which types of these systems own a descriptor, and how each is told from the others when it arrives.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::FileType;
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::sys::HandleSafe;

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
            matches!(socket(handle)?, (AddressFamily::INET | AddressFamily::INET6, t, a) if (t, a) == (ty, accepts))
        }
        Kind::Local(ty, accepts) => socket(handle)? == (AddressFamily::UNIX, ty, accepts),
    };
    if is_right { Ok(()) } else { Err(wrong(name)) }
}

/// What sort of socket it is.
fn socket(handle: &OwnedFd) -> io::Result<(AddressFamily, SocketType, Accepts)> {
    let family = rustix::net::getsockname(handle)?.address_family();
    let ty = sockopt::socket_type(handle)?;
    Ok((family, ty, ty == SocketType::STREAM && sockopt::socket_acceptconn(handle)?))
}

fn wrong(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the open handle that has arrived is no `{name}`"))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    fn one_of_each() -> Vec<(&'static str, OwnedFd)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let path = std::env::temp_dir().join(format!("spawnsafe-{}-handles", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let local = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        vec![
            ("file", File::open("/dev/null").unwrap().into()),
            ("pipe", crate::sys::imp::pipe().unwrap().0),
            ("tcp", stream.into()),
            ("tcp listener", listener.into()),
            ("udp", UdpSocket::bind("127.0.0.1:0").unwrap().into()),
            ("unix", UnixStream::pair().unwrap().0.into()),
            ("unix listener", local.into()),
            ("unix datagram", UnixDatagram::pair().unwrap().0.into()),
        ]
    }

    fn accepted_by<T: HandleSafe>() -> Vec<&'static str> {
        let all = one_of_each().into_iter();
        all.filter_map(|(name, handle)| T::__from_handle(handle).ok().map(|_| name)).collect()
    }

    #[test]
    fn each_type_takes_its_own_kind_only() {
        assert_eq!(accepted_by::<OwnedFd>().len(), 8);
        assert_eq!(accepted_by::<File>(), ["file", "pipe"]);
        assert_eq!(accepted_by::<TcpStream>(), ["tcp"]);
        assert_eq!(accepted_by::<TcpListener>(), ["tcp listener"]);
        assert_eq!(accepted_by::<UdpSocket>(), ["udp"]);
        assert_eq!(accepted_by::<UnixStream>(), ["unix"]);
        assert_eq!(accepted_by::<UnixListener>(), ["unix listener"]);
        assert_eq!(accepted_by::<UnixDatagram>(), ["unix datagram"]);
    }
}
