//! Sockets that are passed to another process, and come from there.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use spawnsafe::{ErrorKind, Handle, SpawnSafe, Stdio, child_entry};
use spawnsafe_tests::{OpenInRounds, rest_of, tcp_pair};

/// Has made no socket itself when it gets one.
#[child_entry]
fn accepts(listener: Handle<TcpListener>) -> SocketAddr {
    let (mut stream, peer) = listener.accept().unwrap();
    stream.write_all(b"accepted").unwrap();
    peer
}

#[test]
fn a_listener_accepts_in_the_child() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let child = accepts::spawn(Handle::new(listener)).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let here = stream.local_addr().unwrap();
    assert_eq!(rest_of(stream), "accepted");
    assert_eq!(child.join().unwrap(), here);
}

#[test]
fn a_listener_that_is_lent_accepts_in_many_processes() {
    let listener = Handle::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let children: Vec<_> = (0..3).map(|_| accepts_from::spawn(&listener).unwrap()).collect();
    for _ in 0..3 {
        assert_eq!(rest_of(TcpStream::connect(address).unwrap()), "accepted");
    }
    children.into_iter().for_each(|child| child.join().unwrap());
    // It is still open here.
    let waits = TcpStream::connect(address).unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(rest_of(waits), "");
}

#[child_entry]
fn accepts_from(listener: &Handle<TcpListener>) {
    listener.accept().unwrap().0.write_all(b"accepted").unwrap();
}

/// Closes what it was given, and stays until it is told.
#[child_entry]
fn says_and_waits(mut to: Handle<TcpStream>, until: Handle<TcpStream>) {
    to.write_all(b"that is all").unwrap();
    drop(to);
    assert_eq!(rest_of(until.into_inner()), "");
}

/// The end would not be seen if this process still had it.
#[test]
fn a_socket_that_is_given_up_is_open_in_the_child_only() {
    let ((ours, theirs), (until, waits)) = (tcp_pair(), tcp_pair());
    let child = says_and_waits::spawn(theirs.into(), waits.into()).unwrap();
    assert_eq!(rest_of(ours), "that is all");
    drop(until);
    child.join().unwrap();
}

#[child_entry]
fn binds() -> (Handle<UdpSocket>, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket.into(), address)
}

#[child_entry]
fn sends(from: Handle<UdpSocket>, to: SocketAddr, text: &str) {
    assert_eq!(from.send_to(text.as_bytes(), to).unwrap(), text.len());
}

#[test]
fn datagrams_from_a_socket_that_was_made_in_one_child_and_used_in_another() {
    let (socket, address) = binds::run().unwrap();
    assert_eq!(socket.local_addr().unwrap(), address);
    let here = UdpSocket::bind("127.0.0.1:0").unwrap();
    here.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    sends::run(socket, here.local_addr().unwrap(), "datagram").unwrap();
    let mut buf = [0; 20];
    let (len, from) = here.recv_from(&mut buf).unwrap();
    assert_eq!((&buf[..len], from), (&b"datagram"[..], address));
}

#[child_entry]
fn connects(to: SocketAddr) -> Handle<TcpStream> {
    TcpStream::connect(to).unwrap().into()
}

/// What a child has made is open here when the child is gone.
#[test]
fn a_connection_outlives_the_child_that_has_made_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ours = connects::run(listener.local_addr().unwrap()).unwrap();
    ours.write_all(b"from here").unwrap();
    drop(ours);
    assert_eq!(rest_of(listener.accept().unwrap().0), "from here");
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Plumbing {
    name: String,
    #[serde(flatten)]
    link: Link,
    all: Vec<Option<Handle<TcpStream>>>,
    file: Handle<std::fs::File>,
}

#[derive(Serialize, Deserialize, SpawnSafe)]
#[serde(tag = "type")]
enum Link {
    Tcp { stream: Handle<TcpStream> },
    Udp { socket: Handle<UdpSocket> },
}

#[child_entry]
fn plumbs(mut plumbing: Plumbing) -> Plumbing {
    let streams = plumbing.all.iter_mut().flatten();
    streams.for_each(|stream| writeln!(stream, "{}", plumbing.name).unwrap());
    plumbing
}

#[test]
fn sockets_travel_inside_of_types_beside_files() {
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..3).map(|_| tcp_pair()).unzip();
    let (far, near) = tcp_pair();
    let all = theirs.into_iter().flat_map(|stream| [None, Some(stream.into())]).collect();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap().into();
    let plumbing = Plumbing { name: "x".into(), link: Link::Tcp { stream: near.into() }, all, file };
    let mut back = plumbs::run(plumbing).unwrap();
    let Link::Tcp { stream } = &mut back.link else { panic!("it was a stream") };
    stream.write_all(b"through").unwrap();
    back.file.metadata().unwrap();
    drop(back);
    assert_eq!(rest_of(far), "through");
    assert!(ours.into_iter().map(rest_of).all(|line| line == "x\n"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap().into();
    let plumbing = Plumbing { name: String::new(), link: Link::Udp { socket }, all: vec![], file };
    assert!(matches!(plumbs::run(plumbing).unwrap().link, Link::Udp { .. }));
}

#[child_entry]
fn gives_back(sockets: Vec<Handle<UdpSocket>>) -> Vec<Handle<UdpSocket>> {
    sockets
}

#[test]
fn some_hundred_sockets_travel_there_and_back() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    for count in [1, 253, 260] {
        let sockets = (0..count).map(|_| socket.try_clone().unwrap().into()).collect();
        let back = gives_back::run(sockets).unwrap();
        assert!(back.len() == count && back.iter().all(|socket| socket.local_addr().unwrap() == address));
    }
}

#[child_entry]
fn never(_: Handle<TcpStream>) {
    std::process::exit(3);
}

/// A process that ends may have its connections reset.
fn is_closed(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(len) => len == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn what_goes_wrong_leaves_no_socket_open() {
    let (ours, theirs) = tcp_pair();
    drop(never::call(theirs.into()));
    assert_eq!(rest_of(ours), "");
    let (ours, theirs) = tcp_pair();
    assert_eq!(never::call(theirs.into()).env("a=b", "").spawn().unwrap_err().kind(), ErrorKind::Spawn);
    assert_eq!(rest_of(ours), "");
    let (ours, theirs) = tcp_pair();
    let error = never::call(theirs.into()).stderr(Stdio::null()).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exited);
    assert!(is_closed(ours));
    // It may not have come to reading of it.
    let (ours, theirs) = tcp_pair();
    drop(never::spawn(theirs.into()).unwrap());
    assert!(is_closed(ours));
}

#[child_entry]
fn writes_late(mut to: Handle<TcpStream>) {
    std::thread::sleep(Duration::from_millis(300));
    to.write_all(b"alone").unwrap();
}

#[child_entry]
fn detaches_and_ends(to: Handle<TcpStream>) {
    writes_late::spawn(to).unwrap().detach().unwrap();
}

#[test]
fn a_child_that_is_detached_has_its_sockets_when_its_parent_is_gone() {
    let (ours, theirs) = tcp_pair();
    detaches_and_ends::run(theirs.into()).unwrap();
    assert_eq!(rest_of(ours), "alone");
}

/// In a child, whose descriptors are its own.
#[child_entry]
fn passes_many_and_counts() {
    let mut open = OpenInRounds::default();
    for _ in 0..8 {
        let (ours, theirs) = tcp_pair();
        let child = says_and_waits::spawn(theirs.into(), tcp_pair().0.into()).unwrap();
        assert_eq!(rest_of(ours), "that is all");
        child.join().unwrap();
        drop(binds::run().unwrap());
        never::call(tcp_pair().0.into()).stderr(Stdio::null()).run().unwrap_err();
        drop(never::spawn(tcp_pair().0.into()).unwrap());
        open.ends_a_round();
    }
}

#[test]
fn nothing_is_left_open() {
    passes_many_and_counts::run().unwrap();
}
