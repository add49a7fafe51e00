//! Both ends in one process, and packets that no sender of ours would send.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind};
use crate::portable::SpawnSafe;
use crate::sys::{OwnedHandle, Patience, store};
use crate::wire::{MESSAGE_HEAD_LEN, MessageHead, PACKET_MAX};

/// Long enough that nothing in a test takes as long.
const LONG: Duration = Duration::from_secs(60);

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.err().expect("it fails").kind()
}

/// A channel; `None` where there are none, and nothing to be tested.
fn made<T: SpawnSafe>(builder: &ChannelBuilder) -> Option<(Sender<T>, Receiver<T>)> {
    match builder.channel() {
        Ok(ends) => Some(ends),
        Err(error) => {
            let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
            assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::Unsupported), "{error}");
            None
        }
    }
}

/// As [`made`], with nothing set; ends the test where there are no channels.
macro_rules! channel_of {
    ($type:ty) => {
        channel_of!($type, ChannelBuilder::new())
    };
    ($type:ty, $builder:expr) => {
        match made::<$type>(&$builder) {
            Some(ends) => ends,
            None => return,
        }
    };
}

/// Sends a packet as it is. `false` if the system's packets do not carry such handles.
fn inject<T: SpawnSafe>(sender: &Sender<T>, packet: &[u8], handles: Vec<OwnedHandle>) -> bool {
    let handles: Vec<_> = handles.into_iter().map(Arc::new).collect();
    match sender.end().packets.send(packet, &handles, Patience::Now) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported && !handles.is_empty() => false,
        sent => sent.map(|()| true).unwrap(),
    }
}

/// Whatever the messages are: none is kept here.
#[test]
fn ends_are_for_all_threads() {
    fn check<T: Send + Sync + std::panic::UnwindSafe>() {}

    check::<Sender<std::rc::Rc<u8>>>();
    check::<Receiver<std::rc::Rc<u8>>>();
    check::<Duplex<std::rc::Rc<u8>, *const u8>>();
    check::<Select<'_>>();
}

#[test]
fn values_of_every_length_arrive_in_order() {
    let (sender, receiver) = channel_of!(Vec<u8>);
    let lengths = [0, 1, 1000, 65_000, 65_534, 65_535, 65_536, 65_537, 66_000, 200_000, 3 << 20];
    let sending = thread::spawn(move || {
        lengths.into_iter().for_each(|len| sender.send((0..len).map(|at| at as u8).collect()).unwrap());
    });
    for (len, message) in lengths.into_iter().zip(&receiver) {
        let message = message.unwrap();
        assert_eq!(message.len(), len);
        assert!(message.iter().enumerate().all(|(at, &byte)| byte == at as u8));
    }
    sending.join().unwrap();
    assert_eq!(kind(receiver.recv()), ErrorKind::Closed);
    assert!(receiver.iter().next().is_none());
}

#[test]
fn a_long_value_of_several_parts_arrives() {
    let (sender, receiver) = channel_of!((Vec<u8>, String, Vec<f64>, Vec<String>));
    let value = (vec![7; 100_000], "é".repeat(70_000), vec![0.5; 20_000], vec!["short".to_owned(); 30_000]);
    sender.send(value.clone()).unwrap();
    assert_eq!(receiver.recv().unwrap(), value);
}

#[test]
fn what_was_sent_is_there_when_the_sender_is_gone() {
    let (sender, receiver) = channel_of!(u32);
    (0..100).for_each(|number| sender.clone().send(number).unwrap());
    drop(sender);
    let all: Vec<u32> = receiver.into_iter().map(Result::unwrap).collect();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn without_waiting() {
    let (sender, receiver) = channel_of!(u32);
    assert_eq!(receiver.try_recv().unwrap(), None);
    assert_eq!(receiver.recv_timeout(Duration::from_millis(5)).unwrap(), None);
    sender.try_send(1).unwrap();
    sender.send_timeout(2, LONG).unwrap();
    assert_eq!(receiver.recv_timeout(LONG).unwrap(), Some(1));
    assert_eq!(receiver.try_recv().unwrap(), Some(2));
    drop(sender);
    assert_eq!(kind(receiver.try_recv()), ErrorKind::Closed);
    assert_eq!(kind(receiver.recv_timeout(LONG)), ErrorKind::Closed);
}

#[test]
fn a_full_channel_gives_the_value_back() {
    let (sender, receiver) = channel_of!(Vec<u8>);
    for len in [10, 40_000, 100_000] {
        let value: Vec<u8> = vec![len as u8; len];
        let mut waiting = 0;
        let error = loop {
            match sender.try_send(value.clone()) {
                Ok(()) => waiting += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.into_value().unwrap(), value);
        assert!((2..2000).contains(&waiting), "{waiting} messages of {len} bytes can wait");
        let error = sender.send_timeout(value.clone(), Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        (0..waiting).for_each(|_| assert_eq!(receiver.recv().unwrap(), value));
        assert_eq!(receiver.try_recv().unwrap(), None);
    }
}

#[test]
fn without_a_receiver_the_value_comes_back() {
    let (sender, receiver) = channel_of!(String);
    sender.send("unread".into()).unwrap();
    drop(receiver);
    for _ in 0..2 {
        let error = sender.send("lost".into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(error.to_string().contains("every receiver of this channel is gone"), "{error}");
        assert_eq!(error.into_value().as_deref(), Some("lost"));
        assert_eq!(sender.try_send("x".into()).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(sender.send_timeout("x".into(), LONG).unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn whoever_waits_learns_of_the_end() {
    let (sender, receiver) = channel_of!(u32);
    let waiting = thread::spawn(move || kind(receiver.recv()));
    thread::sleep(Duration::from_millis(20));
    drop(sender);
    assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);

    let (sender, receiver) = channel_of!(Vec<u8>);
    let is_full = Arc::new(AtomicBool::new(false));
    let filling = thread::spawn({
        let is_full = is_full.clone();
        move || {
            while sender.try_send(vec![0; 5000]).is_ok() {}
            is_full.store(true, Ordering::Release);
            sender.send(vec![0; 5000]).unwrap_err().kind()
        }
    });
    while !is_full.load(Ordering::Acquire) {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(20));
    drop(receiver);
    assert_eq!(filling.join().unwrap(), ErrorKind::Closed);
}

#[test]
fn a_message_has_a_greatest_length() {
    let builder = ChannelBuilder::new().max_message_len(100_000);
    let (sender, receiver) = channel_of!(Vec<u8>, builder);
    let error = sender.send(vec![1; 100_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("max_message_len"), "{error}");
    assert_eq!(error.into_value().unwrap().len(), 100_000);
    sender.send(vec![1; 99_000]).unwrap();
    assert_eq!(receiver.recv().unwrap().len(), 99_000);
    // Somebody else does not keep to it.
    let rude = Sender::<Vec<u8>>::new(End { max_message: u64::MAX, ..sender.end().clone() });
    rude.send(vec![1; 200_000]).unwrap();
    sender.send(vec![2]).unwrap();
    assert_eq!(kind(receiver.recv()), ErrorKind::Decode);
    assert_eq!(receiver.recv().unwrap(), [2]);
}

#[test]
fn a_small_channel_takes_messages_of_every_length() {
    let (sender, receiver) = channel_of!(Vec<u8>, ChannelBuilder::new().capacity(0));
    for len in [0, 10, 5000, 60_000, 1 << 20] {
        sender.send(vec![1; len]).unwrap();
        assert_eq!(receiver.recv().unwrap().len(), len);
    }
    let waiting = (0..).take_while(|_| sender.try_send(Vec::new()).is_ok()).count();
    assert!((1..50).contains(&waiting), "{waiting}");
}

#[test]
fn each_message_goes_to_one_receiver() {
    let (sender, receiver) = channel_of!(u32);
    let receiving: Vec<_> = (0..4)
        .map(|_| receiver.clone())
        .map(|receiver| thread::spawn(move || receiver.iter().map(Result::unwrap).collect::<Vec<_>>()))
        .collect();
    drop(receiver);
    (0..10_000).for_each(|number| sender.send(number).unwrap());
    drop(sender);
    let mut all = Vec::new();
    for receiving in receiving {
        let one = receiving.join().unwrap();
        assert!(one.is_sorted());
        all.extend(one);
    }
    all.sort_unstable();
    assert_eq!(all, (0..10_000).collect::<Vec<_>>());
}

#[test]
fn select_gives_each_its_turn_and_tells_each_end_once() {
    let mut ends = Vec::new();
    for _ in 0..3 {
        ends.push(channel_of!(u32));
    }
    let (channels, receivers): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    let mut select = Select::new();
    assert_eq!(select.ready().unwrap(), None);
    for (index, receiver) in receivers.iter().enumerate() {
        assert_eq!(select.recv(receiver), index);
    }
    assert_eq!(select.try_ready().unwrap(), None);
    assert_eq!(select.ready_timeout(Duration::from_millis(5)).unwrap(), None);
    for sender in &channels {
        (0..30).for_each(|number| sender.send(number).unwrap());
    }
    let mut last = VecDeque::new();
    for _ in 0..90 {
        let Some(Ready::Message(index)) = select.ready().unwrap() else { panic!("all have messages") };
        receivers[index].recv().unwrap();
        last.push_front(index);
        last.truncate(3);
        assert!((1..last.len()).all(|at| last[at] != index), "{last:?}");
    }
    drop(channels);
    let ends: Vec<_> = std::iter::from_fn(|| select.ready().unwrap()).collect();
    assert_eq!(ends.len(), 3);
    assert!((0..3).all(|index| ends.contains(&Ready::Closed(index))), "{ends:?}");
    assert!(select.is_empty());
}

#[test]
fn a_message_that_cannot_be_rebuilt_is_that_message_alone() {
    let (sender, receiver) = channel_of!(u32);
    let other = Sender::<String>::new(sender.end().clone());
    other.send("no number".into()).unwrap();
    sender.send(5).unwrap();
    let error = receiver.recv().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("does its `Deserialize` read what its `Serialize` writes?"), "{error}");
    assert_eq!(receiver.recv().unwrap(), 5);
}

#[test]
fn packets_that_are_no_messages_are_errors_one_by_one() {
    let (sender, receiver) = channel_of!(Vec<u8>);
    let beside = |len, blobs| MessageHead { beside: true, handles: 1, blobs, len }.encode();
    let program = || OwnedHandle::from(File::open(std::env::current_exe().unwrap()).unwrap());
    let zeros = || File::open("/dev/zero").map_or_else(|_| program(), OwnedHandle::from);
    let memory = |bytes: &[u8]| store([bytes].into_iter()).unwrap();
    let nothing = MessageHead { beside: false, handles: 0, blobs: 0, len: 0 }.encode();
    let packets: [(&[u8], Vec<OwnedHandle>); 12] = [
        (b"GET / HTTP/1.1\r\n\r\n", vec![]),
        (&[0; PACKET_MAX + 1], vec![]),
        (&beside(1, 0), vec![]),
        (&beside(1, 0), vec![program()]),
        (&beside(1, 0), vec![zeros()]),
        (&beside(1, 0), vec![memory(b"ab")]),
        (&beside(3, 0), vec![memory(b"ab")]),
        (&beside(u64::MAX, 0), vec![memory(b"ab")]),
        (&beside(2, 1), vec![memory(b"ab")]),
        (&beside(2, 1), vec![memory(b"ab\xff\xff\xff\xff\xff\xff\xff\xff")]),
        (&beside(0, 0), vec![memory(b""), memory(b"")]),
        (&nothing, vec![program()]),
    ];
    let sent = packets.into_iter().filter_map(|(packet, handles)| inject(&sender, packet, handles).then_some(()));
    let sent = sent.count();
    // All but those with handles of other kinds.
    assert!(sent == 12 || sent == 8, "{sent}");
    sender.send(vec![1]).unwrap();
    for fault in 0..sent {
        let error = receiver.recv().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{fault}: {error}");
    }
    assert_eq!(receiver.recv().unwrap(), [1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a process writes into a channel, the others get an error or a value, and then the next message.
    #[test]
    fn damaged_packets_neither_panic_nor_hang(
        value in prop::collection::vec(any::<Option<String>>(), 0..20),
        long in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        handles in 0_usize..3,
    ) {
        let Some((sender, receiver)) = made::<Vec<Option<String>>>(&ChannelBuilder::new()) else { return Ok(()) };
        let packed = sender::pack(value).unwrap();
        let head = MessageHead { beside: long, handles: u8::from(long), blobs: 0, len: packed.items.len() as u64 };
        let (mut packet, mut bytes) = (head.encode().to_vec(), packed.items);
        if !long {
            packet.append(&mut bytes);
        }
        for (at, byte) in damage {
            if long && at.index(2) == 0 && !bytes.is_empty() {
                *at.get_mut(&mut bytes) = byte;
            } else {
                *at.get_mut(&mut packet) = byte;
            }
        }
        packet.truncate(packet.len() - cut.index(packet.len()).saturating_sub(MESSAGE_HEAD_LEN));
        let memory = (0..handles).map(|_| store([&bytes[..]].into_iter()).unwrap()).collect();
        let is_sent = inject(&sender, &packet, memory);
        sender.send(vec![None]).unwrap();
        drop(sender);
        if is_sent {
            let _ = receiver.recv();
        }
        prop_assert_eq!(receiver.recv().unwrap(), vec![None]);
        prop_assert_eq!(kind(receiver.recv()), ErrorKind::Closed);
    }
}
