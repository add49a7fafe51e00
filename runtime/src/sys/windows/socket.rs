//! Sockets on their way to another process, as Winsock wants it (`WSADuplicateSocketW`).
//!
//! Not as other handles. Of `DuplicateHandle` Microsoft says (there under Remarks, and in "Socket Handles") that the target's
//! Winsock may not recognize the socket, and that it disturbs a count of references: between a program and the kernel there
//! may be layers that keep books about sockets, if these are deprecated. std, Python and libuv all go this way.
//!
//! The process that has the socket describes it for one other process, which must be there already, and whose number it
//! takes. That one makes a socket of the description, once. In what is documented (under Remarks, too) the number is asked for
//! first, and the first socket is closed last: nobody says that it may be closed before. Python says so, of what the system
//! does; here it is kept.

#![allow(unsafe_code)]

use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::os::windows::io::{AsRawSocket as _, FromRawSocket as _, OwnedSocket, RawSocket};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, FROM_PROTOCOL_INFO, INVALID_SOCKET, SO_ACCEPTCONN, SO_PROTOCOL_INFOW, SOCK_DGRAM, SOCK_STREAM,
    SOCKET, SOL_SOCKET, WSA_FLAG_NO_HANDLE_INHERIT, WSA_FLAG_OVERLAPPED, WSADATA, WSADuplicateSocketW, WSAGetLastError,
    WSAPROTOCOL_INFOW, WSASocketW, WSAStartup, getsockopt,
};
use windows_sys::core::BOOL;

/// How long a description is, on all processors.
pub(super) const DESCRIPTION: usize = CHECK + INFO;

/// Stands where the number of a handle would: no handle has it.
pub(super) const NO_NUMBER: u32 = 0;

const CHECK: usize = 8;
const INFO: usize = 628;
const _: () = assert!(INFO == size_of::<WSAPROTOCOL_INFOW>());

/// Describes a socket for the process of this number, which then has something to close: if it makes no socket of the
/// description, not before it ends.
pub(super) fn describe(socket: &OwnedSocket, process: u32) -> io::Result<Vec<u8>> {
    let mut info = WSAPROTOCOL_INFOW::default();
    // SAFETY: the socket is open, and the call writes to `info`.
    check(unsafe { WSADuplicateSocketW(number(socket), process, &raw mut info) })?;
    let mut bytes = [0; INFO];
    // SAFETY: both are as long as that; the structure is of numbers, and there is nothing between them.
    unsafe { ptr::copy_nonoverlapping((&raw const info).cast(), bytes.as_mut_ptr(), INFO) };
    Ok([&seal(&bytes, process).to_le_bytes()[..], &bytes].concat())
}

/// Makes the socket that was described for this process. It cannot be inherited.
pub(super) fn open(description: &[u8]) -> io::Result<OwnedSocket> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let (seal_of_it, bytes) = description.split_first_chunk::<CHECK>().ok_or_else(invalid)?;
    let bytes: &[u8; INFO] = bytes.try_into().map_err(|_| invalid())?;
    if u64::from_le_bytes(*seal_of_it) != seal(bytes, std::process::id()) {
        return Err(invalid());
    }
    start_up()?;
    let mut info = WSAPROTOCOL_INFOW::default();
    // SAFETY: both are as long as that, and the structure is of numbers, which may be any.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut info).cast(), INFO) };
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: the structure is valid for the call, and is what a process of this library was given for this one.
    let socket =
        unsafe { WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &raw const info, 0, flags) };
    if socket == INVALID_SOCKET {
        return Err(last_error());
    }
    // SAFETY: the socket was just made.
    Ok(unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) })
}

/// In the structure there is a number of this process's handles, and Winsock believes it. Of bytes that were damaged on
/// their way, or meant for another process, no socket may be made: it might be that of somebody else here.
fn seal(info: &[u8; INFO], process: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(process);
    hasher.write(info);
    hasher.finish()
}

/// std does it when it makes its first socket, which a process that is given one may not have done. It is counted, and never
/// taken back, as std does not either.
fn start_up() -> io::Result<()> {
    static FAULT: OnceLock<i32> = OnceLock::new();
    let fault = *FAULT.get_or_init(|| {
        let mut data = WSADATA::default();
        // SAFETY: the call writes to `data`. The version is 2.2, the only one of this century.
        unsafe { WSAStartup(0x0202, &raw mut data) }
    });
    if fault == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(fault)) }
}

/// What std has types for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    TcpStream,
    TcpListener,
    UdpSocket,
}

/// `None` for a socket of another kind.
pub(super) fn kind(socket: &OwnedSocket) -> io::Result<Option<Kind>> {
    let mut info = WSAPROTOCOL_INFOW::default();
    // SAFETY: this option is such a structure.
    unsafe { option(socket, SO_PROTOCOL_INFOW, &mut info)? };
    if ![AF_INET, AF_INET6].iter().any(|&family| info.iAddressFamily == family.into()) {
        return Ok(None);
    }
    Ok(match info.iSocketType {
        SOCK_DGRAM => Some(Kind::UdpSocket),
        SOCK_STREAM => {
            let mut accepts: BOOL = 0;
            // SAFETY: this option is such a number.
            unsafe { option(socket, SO_ACCEPTCONN, &mut accepts)? };
            Some(if accepts != 0 { Kind::TcpListener } else { Kind::TcpStream })
        }
        _ => None,
    })
}

/// Reads an option.
///
/// # Safety
/// `T` is what the option is, and is of numbers.
unsafe fn option<T>(socket: &OwnedSocket, name: i32, into: &mut T) -> io::Result<()> {
    let mut len = size_of::<T>() as i32;
    // SAFETY: the socket is open. The call writes at most `len` bytes, which is as many as there are.
    check(unsafe { getsockopt(number(socket), SOL_SOCKET, name, (&raw mut *into).cast(), &raw mut len) })
}

fn number(socket: &OwnedSocket) -> SOCKET {
    socket.as_raw_socket() as SOCKET
}

/// The result of a function of Winsock that says only whether it has succeeded.
fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

fn last_error() -> io::Error {
    // SAFETY: it has no preconditions.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use windows_sys::Win32::Foundation::{GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT};

    use super::*;

    #[test]
    fn a_socket_is_made_of_its_description() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let described = describe(&listener.into(), std::process::id()).unwrap();
        let there = open(&described).unwrap();
        let mut flags = 0;
        // SAFETY: a socket of the system's own providers is a handle; the call fails for what is none.
        let done = unsafe { GetHandleInformation(there.as_raw_socket() as HANDLE, &raw mut flags) };
        assert!(done != 0 && flags & HANDLE_FLAG_INHERIT == 0);
        assert_eq!(kind(&there).unwrap(), Some(Kind::TcpListener));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"x").unwrap();
        drop(stream);
        let mut text = String::new();
        TcpListener::from(there).accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }

    #[test]
    fn what_is_no_description_for_this_process_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let this = std::process::id();
        let described = describe(&socket, this).unwrap();
        for at in 0..described.len() {
            let mut damaged = described.clone();
            damaged[at] ^= 4;
            assert_eq!(open(&damaged).unwrap_err().kind(), io::ErrorKind::InvalidData, "byte {at}");
        }
        let mut for_another = described.clone();
        let bytes: &[u8; INFO] = described[CHECK..].try_into().unwrap();
        for_another[..CHECK].copy_from_slice(&seal(bytes, this + 4).to_le_bytes());
        for wrong in [&[][..], &described[1..], &[&described[..], &[0]].concat(), &for_another] {
            assert_eq!(open(wrong).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        assert_eq!(kind(&open(&described).unwrap()).unwrap(), Some(Kind::UdpSocket));
        assert!(describe(&socket, 1).is_err());
    }
}
