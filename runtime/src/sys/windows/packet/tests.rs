//! Queues of packets: what is in them, whoever is killed or does not answer.

use super::super::handle::{event, is_signalled};
use super::super::stored::{Stored, store};
use super::*;

fn lost(id: u64) -> Vec<u8> {
    Message { stored: id, ..Message::new(b"lost") }.encode()
}

fn memory(len: usize) -> Vec<Arc<AnyHandle>> {
    vec![Arc::new(store([&vec![7; len][..]].into_iter()).unwrap())]
}

/// The length of the packet that is there, and of what goes with it.
fn next(end: &PacketEnd) -> Option<(usize, Option<u64>)> {
    let packet = end.receive(&mut [0; 1000], Patience::Wait).unwrap()?;
    assert!(!packet.is_cut && !packet.lacks_handles);
    Some((packet.len, packet.handles.into_iter().next().map(|stored| Stored::open(stored).unwrap().len())))
}

#[test]
fn whoever_was_killed_between_two_writes_costs_nobody_else_a_packet() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    let (inner, wait) = (&sender.0, Patience::Wait);
    let id = now().unwrap();
    sender.send(b"one", &memory(1 << 20), wait).unwrap();
    // A receiver was killed: this one's packet is gone.
    inner.write(&inner.beside, &[&id.to_le_bytes()[..], &[1; 100_000]].concat(), wait).unwrap();
    sender.send(b"three", &memory(3), wait).unwrap();
    // A sender was killed, in the middle and at the end.
    inner.write(&inner.packets, &lost(now().unwrap()), wait).unwrap();
    sender.send(b"seven..", &memory(7), wait).unwrap();
    sender.send(b"none", &[], wait).unwrap();
    inner.write(&inner.packets, &lost(now().unwrap()), wait).unwrap();
    drop(sender);
    assert_eq!(next(&receiver), Some((3, Some(1 << 20))));
    assert_eq!(next(&receiver), Some((5, Some(3))));
    assert_eq!(next(&receiver), Some((7, Some(7))));
    assert_eq!(next(&receiver), Some((4, None)));
    assert_eq!(next(&receiver), None);
}

#[test]
fn a_sender_that_does_not_describe_its_sockets_holds_up_nobody_who_does_not_wait() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    // What a sender would offer whose thread does not answer.
    let (theirs, ours) = pipe::pair(Purpose::Watched).unwrap();
    let taken = event().unwrap();
    let number = |handle: &OwnedHandle| handle.as_raw_handle().addr() as u32;
    let numbers = vec![number(&taken), number(&theirs), socket::NO_NUMBER];
    let message = Message { owner: Owner::this().unwrap(), numbers, ..Message::new(b"one") };
    sender.0.write(&sender.0.packets, &message.encode(), Patience::Now).unwrap();
    sender.send(b"second", &[], Patience::Now).unwrap();
    assert!(receiver.has_packet().unwrap());
    let receive = || receiver.receive(&mut [0; 1000], Patience::Now);
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(receiver.has_packet().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(wait_to_receive(&[&receiver], Some(Instant::now())).unwrap(), [false]);
    }
    assert!(begun.elapsed() < Duration::from_secs(20) && !is_signalled(&taken));
    assert_eq!(receiver.handles().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop((ours, theirs));
    assert_eq!(wait_to_receive(&[&receiver], None).unwrap(), [true]);
    let packet = receive().unwrap().unwrap();
    assert!(packet.len == 3 && packet.lacks_handles && packet.handles.is_empty());
    assert!(is_signalled(&taken));
    assert_eq!(next(&receiver), Some((6, None)));
    assert_eq!(receiver.handles().unwrap().len(), 4);
    drop(sender);
    assert_eq!(next(&receiver), None);
}

#[test]
fn a_sender_that_is_always_about_to_send_is_not_waited_for_for_ever() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    let held = sender.0.sending.lock().unwrap();
    let soon = Instant::now() + Duration::from_millis(30);
    let waits = || receiver.0.take_stored(now().unwrap(), soon).unwrap_err();
    assert_eq!(thread::scope(|scope| scope.spawn(waits).join().unwrap()).kind(), io::ErrorKind::TimedOut);
    drop(held);
    assert!(receiver.0.take_stored(now().unwrap(), Instant::now() + STORING).unwrap().is_none());
}

#[test]
fn what_is_no_message_is_a_packet_that_is_none() {
    let (sender, receiver) = PacketEnd::pair(100_000).unwrap();
    for message in [&b"x"[..], &[0; 256], &[0; 5000], &[&b"spq\x01"[..], &[0xff; 300]].concat()] {
        sender.0.write(&sender.0.packets, message, Patience::Now).unwrap();
        let packet = receiver.receive(&mut [0; 1000], Patience::Now).unwrap().unwrap();
        assert!(packet.len == 0 && packet.handles.is_empty());
    }
    // Which takes up no room: whether it is seen at all is the system's business.
    sender.0.write(&sender.0.packets, &[], Patience::Now).unwrap();
    sender.send(b"x", &[], Patience::Now).unwrap();
    let next_but_empty = || next(&receiver).filter(|&packet| packet != (0, None)).or_else(|| next(&receiver));
    assert_eq!(next_but_empty(), Some((1, None)));
}

#[test]
fn ends_are_made_of_their_handles_and_of_nothing_else() {
    let (sender, receiver) = PacketEnd::pair(1 << 20).unwrap();
    let copies =
        |end: &PacketEnd| end.handles().unwrap().iter().map(|one| one.try_clone().unwrap()).collect::<Vec<_>>();
    let others =
        [PacketEnd::from_handles(copies(&sender)).unwrap(), PacketEnd::from_handles(copies(&receiver)).unwrap()];
    assert_eq!((others[0].0.room, others[1].0.room), (2 << 20, 2 << 20));
    drop((sender, receiver));
    let [sender, receiver] = others;
    sender.send(b"x", &[], Patience::Now).unwrap();
    assert_eq!(next(&receiver), Some((1, None)));
    let (mut short, mut long) = (copies(&receiver), copies(&sender));
    long.extend(short.pop());
    for wrong in [short, long, Vec::new()] {
        assert!(PacketEnd::from_handles(wrong).is_none());
    }
}
