//! What whoever is left learns of those who are gone, and when.

use std::thread;
use std::time::Duration;

use spawnsafe::{Call, Child, Error, ErrorKind, Receiver, Sender, Stdio, channel, child_entry, duplex};
use spawnsafe_tests::is_gone;

/// Says that it is there, and keeps what it has.
#[child_entry]
fn keeps(_to: Option<Sender<Vec<u8>>>, _from: Option<Receiver<Vec<u8>>>, ready: Sender<u32>) {
    ready.send(std::process::id()).unwrap();
    drop(ready);
    thread::sleep(Duration::from_secs(600));
}

/// A child that has these ends.
fn keeper(to: Option<Sender<Vec<u8>>>, from: Option<Receiver<Vec<u8>>>) -> Child<()> {
    let (ready, is_ready) = channel().unwrap();
    let child = keeps::spawn(to, from, ready).unwrap();
    assert_eq!(is_ready.recv().unwrap(), child.id());
    child
}

/// Kills it in a while.
fn kill_soon(mut child: Child<()>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        child.kill().unwrap();
        assert_eq!(child.join().unwrap_err().kind(), ErrorKind::Cancelled);
    })
}

#[test]
fn killed_while_we_wait_to_receive() {
    let (sender, receiver) = channel().unwrap();
    let killing = kill_soon(keeper(Some(sender), None));
    let error = receiver.recv().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("every sender of this channel is gone"), "{error}");
    killing.join().unwrap();

    let (sender, receiver) = channel().unwrap();
    let killing = kill_soon(keeper(Some(sender), None));
    assert_eq!(receiver.recv_timeout(Duration::from_secs(600)).unwrap_err().kind(), ErrorKind::Closed);
    killing.join().unwrap();
}

#[test]
fn killed_while_we_wait_to_send() {
    for with_limit in [false, true] {
        let (sender, receiver) = channel().unwrap();
        let child = keeper(None, Some(receiver));
        while sender.try_send(vec![1; 10_000]).is_ok() {}
        let killing = kill_soon(child);
        let sent = match with_limit {
            false => sender.send(vec![2; 10_000]),
            true => sender.send_timeout(vec![2; 10_000], Duration::from_secs(600)),
        };
        let error = sent.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.into_value().unwrap(), vec![2; 10_000]);
        killing.join().unwrap();
    }
}

/// Sends without end.
#[child_entry]
fn floods(to: Sender<Vec<u8>>) -> u64 {
    let mut count = 0;
    while to.send(vec![5; 1000]).is_ok() {
        count += 1;
    }
    count
}

#[test]
fn a_sender_ends_when_nobody_receives_any_more() {
    let (sender, receiver) = channel().unwrap();
    let child = floods::spawn(sender).unwrap();
    let received = receiver.iter().take(2000).filter(Result::is_ok).count();
    drop(receiver);
    assert!(child.join().unwrap() >= received as u64);
}

/// Killed in the middle of long messages, which arrive whole or not at all.
#[child_entry]
fn floods_with_long_ones(to: Sender<Vec<u8>>) {
    for byte in 0_u8.. {
        to.send(vec![byte; 3 << 20]).unwrap();
    }
}

#[test]
fn killed_while_it_sends_and_others_go_on() {
    let (sender, receiver) = channel::<Vec<u8>>().unwrap();
    for _ in 0..5 {
        let mut child = floods_with_long_ones::call(sender.clone()).stderr(Stdio::null()).spawn().unwrap();
        let first = receiver.recv().unwrap();
        assert_eq!(first, vec![0; 3 << 20]);
        child.kill().unwrap();
        child.join().unwrap_err();
        if let Err(error) = sender.try_send(vec![100]) {
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        while let Some(message) = receiver.try_recv().unwrap() {
            assert!(message == [100] || message.len() == 3 << 20);
        }
    }
    drop(sender);
    assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::Closed);
}

#[child_entry]
fn ignores(_: Sender<u64>) {}

#[child_entry]
fn panics(_to: Sender<u64>) {
    panic!("with a sender");
}

#[child_entry]
fn cannot_take(_: Sender<u64>, _number: Wrong) {}

/// What is written is not what is read.
#[derive(spawnsafe::SpawnSafe)]
struct Wrong;

impl serde::Serialize for Wrong {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("wrong")
    }
}

impl<'de> serde::Deserialize<'de> for Wrong {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <u32 as serde::Deserialize>::deserialize(deserializer).map(|_| Wrong)
    }
}

/// Whether the only sender is gone.
fn closes<R>(call: impl FnOnce(Sender<u64>) -> Call<R>, end: impl FnOnce(Call<R>)) {
    let (sender, receiver) = channel().unwrap();
    end(call(sender).stderr(Stdio::null()));
    assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn an_end_is_closed_whatever_becomes_of_it() {
    closes(ignores::call, |call| call.run().unwrap());
    closes(panics::call, |call| assert_eq!(call.run().unwrap_err().kind(), ErrorKind::Panicked));
    // Dropped before anything is started.
    closes(ignores::call, drop);
    // Nothing can be started there.
    closes(ignores::call, |call| {
        assert_eq!(call.env("a\0b", "").spawn().unwrap_err().kind(), ErrorKind::Spawn);
    });
    closes(ignores::call, |call| {
        assert_eq!(call.current_dir("/no/such/directory").run().unwrap_err().kind(), ErrorKind::Spawn);
    });
    // It arrives, and is not unpacked.
    closes(
        |sender| cannot_take::call(sender, Wrong),
        |call| {
            assert_eq!(call.run().unwrap_err().kind(), ErrorKind::Decode);
        },
    );
    // Killed before it has looked at it, most likely.
    closes(ignores::call, |call| drop(call.spawn().unwrap()));
}

#[test]
fn ends_that_are_dropped_on_their_way() {
    let (outer, outer_receiver) = channel::<Sender<u64>>().unwrap();
    let (sender, receiver) = channel().unwrap();
    outer.send(sender).unwrap();
    assert_eq!(receiver.try_recv().unwrap(), None);
    drop(outer_receiver);
    assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn the_other_half_of_a_duplex() {
    let (here, there) = duplex::<u32, u32>().unwrap();
    drop(there);
    assert_eq!(here.send(1).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(here.recv().unwrap_err().kind(), ErrorKind::Closed);
    let (mut here, there) = duplex::<u32, u32>().unwrap();
    drop(there);
    here.serve(|number| number).unwrap();
    assert_eq!(here.request(1).unwrap_err().kind(), ErrorKind::Closed);
}

#[child_entry]
fn fails_to_send(to: Sender<u64>) -> Result<(), Error> {
    loop {
        to.send(1)?;
    }
}

/// A generator whose reader has seen enough.
#[test]
fn the_error_of_a_send_travels() {
    let (sender, receiver) = channel().unwrap();
    let child = fails_to_send::spawn(sender).unwrap();
    let id = child.id();
    assert_eq!(receiver.iter().take(3).filter(Result::is_ok).count(), 3);
    drop(receiver);
    let error = child.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(is_gone(id));
}
