//! Sockets in messages.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

use spawnsafe::{Error, Handle, Receiver, RemoteError, Sender, channel, child_entry};
use spawnsafe_tests::{OpenInRounds, rest_of, tcp_pair};

#[child_entry]
fn answers(connections: Receiver<Handle<TcpStream>>) -> Result<u32, RemoteError> {
    let mut count = 0;
    for connection in &connections {
        writeln!(connection?, "hello from {}", std::process::id())?;
        count += 1;
    }
    Ok(count)
}

/// As a server would that accepts in one process and answers in others.
#[test]
fn connections_go_to_whichever_receiver_is_first() {
    let (sender, receiver) = channel().unwrap();
    let children: Vec<_> = (0..2).map(|_| answers::spawn(receiver.clone()).unwrap()).collect();
    drop(receiver);
    let mut said = Vec::new();
    for _ in 0..50 {
        let (ours, theirs) = tcp_pair();
        sender.send(theirs.into()).unwrap();
        said.push(rest_of(ours));
    }
    drop(sender);
    let count: u32 = children.into_iter().map(|child| child.join().unwrap().unwrap()).sum();
    assert_eq!(count, 50);
    assert!(said.iter().all(|line| line.starts_with("hello from ")), "{said:?}");
}

#[child_entry]
fn listens(to: Sender<Handle<TcpListener>>, until: Receiver<()>) -> Result<(), Error> {
    to.send(TcpListener::bind("127.0.0.1:0").unwrap().into())?;
    // On Windows it is fetched from here.
    drop(until.recv());
    Ok(())
}

#[test]
fn from_the_child() {
    let (sender, receiver) = channel().unwrap();
    let (done, until) = channel().unwrap();
    let child = listens::spawn(sender, until).unwrap();
    let listener = receiver.recv().unwrap();
    drop(done);
    child.join().unwrap().unwrap();
    let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.write_all(b"here").unwrap();
    drop(ours);
    assert_eq!(rest_of(listener.accept().unwrap().0), "here");
}

type Mixed = (Handle<UdpSocket>, Handle<std::fs::File>, Vec<u8>, Sender<u32>);

/// Also within one process, and beside what is too long for a packet.
#[test]
fn sockets_beside_everything_else() {
    let (sender, receiver) = channel::<Mixed>().unwrap();
    let (numbers, received) = channel().unwrap();
    for len in [0, 300_000] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        sender.send((socket.into(), file.into(), vec![7; len], numbers.clone())).unwrap();
        let (socket, file, bytes, numbers) = receiver.recv().unwrap();
        assert_eq!((socket.local_addr().unwrap(), bytes), (address, vec![7; len]));
        file.metadata().unwrap();
        numbers.send(len as u32).unwrap();
        assert_eq!(received.recv().unwrap(), len as u32);
    }
}

/// Ends without receiving.
#[child_entry]
fn ends(_from: Receiver<Handle<TcpStream>>) {}

/// In a child, whose descriptors are its own.
#[child_entry]
fn passes_many_and_counts() -> Result<(), Error> {
    let mut open = OpenInRounds::default();
    for _ in 0..5 {
        let (sender, receiver) = channel()?;
        let (ours, theirs): (Vec<_>, Vec<_>) = (0..10).map(|_| tcp_pair()).unzip();
        theirs.into_iter().try_for_each(|stream| sender.send(Handle::new(stream)))?;
        // Received here, and by nobody.
        drop(receiver.recv()?);
        ends::run(receiver)?;
        drop(sender);
        assert!(ours.into_iter().map(rest_of).all(|text| text.is_empty()));
        open.ends_a_round();
    }
    Ok(())
}

#[test]
fn nothing_is_left_open() {
    passes_many_and_counts::run().unwrap().unwrap();
}
