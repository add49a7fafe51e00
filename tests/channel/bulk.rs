//! Much at once: long messages, many messages, many senders, and more than there is room for.

use std::time::{Duration, Instant};

use spawnsafe::{Error, Receiver, Sender, channel, child_entry};
use spawnsafe_tests::eventually;

use super::{counts, sums};

#[child_entry]
fn echoes(from: Receiver<Vec<u8>>, to: Sender<Vec<u8>>) -> Result<(), Error> {
    for message in &from {
        to.send(message?)?;
    }
    Ok(())
}

#[test]
fn long_messages_there_and_back() {
    let (to, from_here) = channel().unwrap();
    let (to_here, from) = channel().unwrap();
    let child = echoes::spawn(from_here, to_here).unwrap();
    let message: Vec<u8> = (0..64 << 20).map(|at: u32| (at >> 8) as u8).collect();
    for _ in 0..2 {
        let start = Instant::now();
        to.send(message.clone()).unwrap();
        let back = from.recv().unwrap();
        println!("\n64 MiB there and back: {:.1?}", start.elapsed());
        assert!(back == message);
    }
    drop(to);
    child.join().unwrap().unwrap();
}

#[test]
fn many_short_messages() {
    const COUNT: u64 = 20_000;
    let (sender, receiver) = channel().unwrap();
    let child = sums::spawn(receiver).unwrap();
    let start = Instant::now();
    (0..COUNT).for_each(|number| sender.send(number).unwrap());
    drop(sender);
    assert_eq!(child.join().unwrap().unwrap(), COUNT * (COUNT - 1) / 2);
    println!("\n{COUNT} messages: {:.1} µs each", start.elapsed().as_secs_f64() * 1e6 / COUNT as f64);

    let (mut here, there) = spawnsafe::duplex::<u64, u64>().unwrap();
    let child = increments::spawn(there).unwrap();
    here.request(0).unwrap();
    let start = Instant::now();
    (0..2000).for_each(|number| assert_eq!(here.request(number).unwrap(), number + 1));
    println!("\nrequest and reply: {:.1} µs", start.elapsed().as_secs_f64() * 1e6 / 2000.0);
    drop(here);
    child.join().unwrap().unwrap();
}

#[child_entry]
fn increments(mut requests: spawnsafe::Duplex<u64, u64>) -> Result<(), Error> {
    requests.serve(|number| number + 1)
}

/// Sends its name and a number with each message, some of which are long.
#[child_entry]
fn sends_in_order(to: Sender<(u32, u32, Vec<u8>)>, name: u32, count: u32) -> Result<(), Error> {
    (0..count).try_for_each(|number| {
        let len = if number % 50 == 49 { 200_000 } else { number as usize };
        Ok(to.send((name, number, vec![name as u8; len]))?)
    })
}

#[test]
fn the_order_of_each_sender_is_kept() {
    let (sender, receiver) = channel().unwrap();
    let children: Vec<_> = (0..4).map(|name| sends_in_order::spawn(sender.clone(), name, 400).unwrap()).collect();
    drop(sender);
    let mut next = [0; 4];
    for message in &receiver {
        let (name, number, bytes) = message.unwrap();
        assert_eq!(number, next[name as usize]);
        next[name as usize] += 1;
        assert!(bytes.iter().all(|&byte| byte == name as u8));
    }
    assert_eq!(next, [400; 4]);
    children.into_iter().for_each(|child| child.join().unwrap().unwrap());
}

/// Sends, and says in memory of its parent's how far it is.
#[child_entry]
fn sends_and_reports(to: Sender<Vec<u8>>, len: usize, count: u32, progress: &std::path::Path) -> Result<(), Error> {
    for number in 0..count {
        to.send(vec![1; len])?;
        std::fs::write(progress, (number + 1).to_string()).unwrap();
    }
    Ok(())
}

/// The sender stops, and goes on as messages are received: memory does not grow with what it has to send.
#[test]
fn a_sender_waits_for_its_receiver() {
    for len in [100, 10_000, 1 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let progress = dir.path().join("progress");
        let (sender, receiver) = channel().unwrap();
        let child = sends_and_reports::spawn(sender, len, 5000, &progress).unwrap();
        let sent = || std::fs::read_to_string(&progress).ok()?.parse::<u32>().ok();
        // It stands still where it has not moved for so long.
        let waiting = eventually("the sender waits", || {
            let before = sent()?;
            std::thread::sleep(Duration::from_millis(300));
            (sent() == Some(before)).then_some(before)
        });
        assert!((1..2000).contains(&waiting), "{waiting} messages of {len} bytes wait");
        println!("{waiting} messages of {len} bytes can wait");
        let received = receiver.iter().take(waiting as usize).filter(Result::is_ok).count();
        assert_eq!(received, waiting as usize);
        eventually("the sender goes on", || (sent()? > waiting).then_some(()));
        drop(receiver);
        assert!(child.join().unwrap().is_err());
    }
}

#[test]
fn many_channels() {
    let channels: Vec<_> = (0..50).map(|_| channel().unwrap()).collect();
    let (senders, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
    let children: Vec<_> =
        senders.into_iter().enumerate().map(|(at, sender)| counts::spawn(sender, at as u64, 1).unwrap()).collect();
    for (at, receiver) in receivers.iter().enumerate() {
        assert_eq!(receiver.recv().unwrap(), at as u64);
    }
    children.into_iter().for_each(|child| child.join().unwrap().unwrap());
}
