//! What open handles keep on every system.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};

use super::{HandleSafe, OwnedHandle};

/// One of each kind that all systems have.
pub(super) fn one_of_each() -> Vec<(&'static str, OwnedHandle)> {
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

/// Which of them become a `T`.
pub(super) fn accepted_by<T: HandleSafe>(all: Vec<(&'static str, OwnedHandle)>) -> Vec<&'static str> {
    all.into_iter().filter_map(|(name, handle)| T::__from_handle(handle).ok().map(|_| name)).collect()
}

#[test]
fn each_type_takes_its_own_kind_only() {
    assert_eq!(accepted_by::<File>(one_of_each()), ["file"]);
    assert_eq!(accepted_by::<TcpStream>(one_of_each()), ["tcp"]);
    assert_eq!(accepted_by::<TcpListener>(one_of_each()), ["tcp listener"]);
    assert_eq!(accepted_by::<UdpSocket>(one_of_each()), ["udp"]);
}
