//! What is of this queue alone; the rest is in the tests of channels.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{canary, is_cut};
use super::*;

fn next(end: &PacketEnd) -> Option<Vec<u8>> {
    let mut buffer = [0; 1000];
    let packet = end.receive(&mut buffer, Patience::Wait).unwrap()?;
    assert!(!packet.is_cut && !packet.lacks_handles);
    Some(buffer[..packet.len].to_vec())
}

fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

fn copies(end: &PacketEnd) -> Vec<OwnedHandle> {
    end.handles().unwrap().iter().map(|one| one.try_clone().unwrap()).collect()
}

#[test]
fn ends_are_made_of_their_handles_and_of_nothing_else() {
    let (sender, receiver) = PacketEnd::pair(1 << 20).unwrap();
    let [sent, received] = [&sender, &receiver].map(|end| PacketEnd::from_handles(copies(end)).unwrap());
    assert_eq!(sent.0.longest, sender.0.longest);
    drop((sender, receiver));
    sent.send(b"x", &[], Patience::Now).unwrap();
    assert_eq!(next(&received).unwrap(), b"x");
    let (of_sender, of_receiver) = (|| copies(&sent), || copies(&received));
    let pair_of = |kind| Vec::from(<[_; 2]>::from(socket_pair(kind).unwrap()));
    let wrong = [
        Vec::new(),
        vec![of_sender().remove(0)],
        of_sender().into_iter().rev().collect(),
        of_sender().into_iter().chain(of_sender()).collect(),
        of_receiver().into_iter().chain(of_sender()).collect(),
        pair_of(SocketType::DGRAM),
        pair_of(SocketType::STREAM),
    ];
    for (which, handles) in wrong.into_iter().enumerate() {
        assert!(PacketEnd::from_handles(handles).is_none(), "{which}");
    }
    // The end to send from receives nothing.
    assert_eq!(kind(sent.receive(&mut [0], Patience::Now)), Some(io::ErrorKind::InvalidInput));
    assert_eq!(kind(sent.has_packet()), Some(io::ErrorKind::InvalidInput));
}

#[test]
fn the_end_is_behind_all_packets() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    assert_eq!(kind(receiver.has_packet()), Some(io::ErrorKind::WouldBlock));
    assert_eq!(wait_to_receive(&[&receiver], Some(Instant::now())).unwrap(), [false]);
    let other = sender.clone();
    sender.send(b"one", &[], Patience::Now).unwrap();
    drop(sender);
    other.send(b"two", &[], Patience::Now).unwrap();
    drop(other);
    assert_eq!(wait_to_receive(&[&receiver], None).unwrap(), [true]);
    assert!(receiver.has_packet().unwrap());
    assert_eq!(next(&receiver).unwrap(), b"one");
    assert_eq!(next(&receiver).unwrap(), b"two");
    for _ in 0..2 {
        assert_eq!(wait_to_receive(&[&receiver], None).unwrap(), [true]);
        assert!(!receiver.has_packet().unwrap());
        assert_eq!(next(&receiver), None);
    }
}

#[test]
fn without_a_receiver_each_attempt_fails_and_nothing_stays_open() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    let (handle, watch) = canary().unwrap();
    sender.send(b"unread", &[Arc::new(handle)], Patience::Now).unwrap();
    let clone = PacketEnd::from_handles(copies(&receiver)).unwrap();
    drop(receiver);
    sender.send(b"unread", &[], Patience::Now).unwrap();
    assert!(watch.is_open());
    drop(clone);
    for patience in [Patience::Now, Patience::Wait, Patience::Now] {
        assert_eq!(kind(sender.send(b"x", &[], patience)), Some(io::ErrorKind::BrokenPipe));
    }
    assert!(watch.is_closed());
}

#[test]
fn whoever_waits_for_room_learns_of_the_end() {
    let (sender, receiver) = PacketEnd::pair(0).unwrap();
    while sender.send(&[0; 500], &[], Patience::Now).is_ok() {}
    let is_waiting = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            is_waiting.store(true, Ordering::Release);
            kind(sender.send(&[0; 500], &[], Patience::Wait))
        });
        while !is_waiting.load(Ordering::Acquire) {
            thread::yield_now();
        }
        thread::sleep(10 * AGAIN);
        drop(receiver);
        assert_eq!(waiting.join().unwrap(), Some(io::ErrorKind::BrokenPipe));
    });
}

/// What can be sent fits into an empty queue, whatever it has with it.
#[test]
fn the_longest_packet_arrives_and_a_longer_one_is_refused() {
    for capacity in [0, 10_000, 1 << 20, usize::MAX] {
        let (sender, receiver) = PacketEnd::pair(capacity).unwrap();
        let len = (sender.0.longest - 1).min(100_000);
        let handle = Arc::new(canary().unwrap().0);
        let handles = vec![handle; 100];
        sender.send(&vec![7; len], &handles, Patience::Now).unwrap();
        let mut buffer = vec![0; len + 1];
        let packet = receiver.receive(&mut buffer, Patience::Now).unwrap().unwrap();
        assert_eq!((packet.len, packet.handles.len(), packet.is_cut), (len, 100, false));
        if len + 1 == sender.0.longest {
            assert_eq!(kind(sender.send(&buffer, &[], Patience::Wait)), Some(io::ErrorKind::FileTooLarge));
        }
    }
}

/// Whatever whoever has the sockets does with them, the others go on.
#[test]
fn what_no_sender_of_ours_would_send() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    let rude = |bytes: &[u8]| rustix::net::send(&*sender.0.socket, bytes, SEND_FLAGS).unwrap();
    rude(b"");
    rude(b"\xff");
    rude(b"\x03 no handles");
    rustix::io::write(&*sender.0.lifeline, &[1; 1000]).unwrap();
    assert_eq!(kind(receiver.receive(&mut [0; 100], Patience::Wait)), Some(io::ErrorKind::ConnectionAborted));
    for len in [0, 11] {
        let packet = receiver.receive(&mut [0; 100], Patience::Wait).unwrap().unwrap();
        assert!(packet.lacks_handles && packet.handles.is_empty() && packet.len == len);
    }
    assert_eq!(wait_to_receive(&[&receiver], Some(Instant::now() + AGAIN)).unwrap(), [false]);
    sender.send(b"x", &[], Patience::Now).unwrap();
    assert_eq!(next(&receiver).unwrap(), b"x");
    drop(sender);
    assert_eq!(next(&receiver), None);
}

/// Which on macOS keeps it whole: see `anchor`.
#[test]
fn the_end_that_receives_is_on_its_way_as_long_as_it_is_anywhere() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    sender.send(b"x", &[], Patience::Now).unwrap();
    let Inner { socket, lifeline, anchor, .. } = &*receiver.0;
    let anchor = anchor.as_ref().unwrap();
    let mut looked = [0; 2];
    // What lies in it comes from nobody any more.
    assert!(is_cut(&**anchor).unwrap());
    let (_, count) = rustix::net::recv(&**anchor, &mut looked[..], RecvFlags::PEEK | RecvFlags::DONTWAIT).unwrap();
    assert_eq!(count, 1);
    assert!(!is_cut(&**socket).unwrap() && !is_cut(&**lifeline).unwrap());
    assert_eq!(next(&receiver).unwrap(), b"x");
}
