//! What is so on Windows only: handles are fetched from the process that has sent them.

use std::fs::File;
use std::net::UdpSocket;

use spawnsafe::{Error, ErrorKind, Handle, Receiver, Sender, channel, child_entry};
use spawnsafe_tests::OpenInRounds;

type Message = (u32, Option<(Handle<File>, Option<Handle<UdpSocket>>)>);

fn file() -> Handle<File> {
    Handle::new(File::open(std::env::current_exe().unwrap()).unwrap())
}

#[child_entry]
fn sends_them_and_ends(to: Sender<Message>) -> Result<(), Error> {
    to.send((1, Some((file(), None))))?;
    to.send((1, Some((file(), Some(Handle::new(UdpSocket::bind("127.0.0.1:0").unwrap()))))))?;
    to.send((2, None))?;
    Ok(())
}

#[test]
fn handles_of_a_process_that_has_ended_are_an_error_of_their_message() {
    let (sender, receiver) = channel().unwrap();
    sends_them_and_ends::spawn(sender).unwrap().join().unwrap().unwrap();
    assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(receiver.recv().unwrap().0, 2);
    assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::Closed);
}

/// Ends without receiving.
#[child_entry]
fn ends(_from: Receiver<Message>) {}

/// In a child, whose handles are its own.
#[child_entry]
fn handles_are_closed_with_the_last_receiver() -> Result<(), Error> {
    let mut open = OpenInRounds::default();
    for _ in 0..4 {
        let (sender, receiver) = channel()?;
        for number in 0..10 {
            sender.send((number, Some((file(), None))))?;
        }
        // Fetched here, and by nobody.
        assert_eq!(receiver.recv()?.0, 0);
        ends::run(receiver)?;
        assert_eq!(sender.send((10, None)).unwrap_err().kind(), ErrorKind::Closed);
        drop(sender);
        open.ends_a_round();
    }
    Ok(())
}

#[test]
fn what_nobody_will_receive_is_closed() {
    handles_are_closed_with_the_last_receiver::run().unwrap().unwrap();
}
