//! Killed at any moment, in the middle of whatever they do: whoever is left goes on, and loses nothing but what the dead had
//! taken.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use spawnsafe::{Error, ErrorKind, Receiver, Sender, Stdio, channel, child_entry};

/// Who has sent it, the how manieth of its sender it is, and what makes it short, long, longer than a packet, or a packet with
/// handles.
type Parcel = (u32, u64, Vec<u8>, Option<Sender<u64>>);

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

fn parcel(sender: u32, number: u64, end: &Sender<u64>) -> Parcel {
    let len = [3, 3000, 40_000, 100_000][number as usize % 4];
    // On Windows they are gone with the process that has sent them.
    let end = (!cfg!(windows) && number % 3 == 0).then(|| end.clone());
    (sender, number, vec![number as u8; len], end)
}

fn is_whole((_, number, bytes, end): &Parcel) -> bool {
    bytes.len() == [3, 3000, 40_000, 100_000][*number as usize % 4]
        && bytes.iter().all(|&byte| byte == *number as u8)
        && (cfg!(windows) || end.is_some() == (number % 3 == 0))
}

#[child_entry]
fn sends(to: Sender<Parcel>, name: u32) -> Result<(), Error> {
    let (end, _receiver) = channel()?;
    (0..).try_for_each(|number| Ok(to.send(parcel(name, number, &end))?))
}

/// The numbers of each sender come one after another, and none is left out.
#[test]
fn senders() {
    const ROUNDS: u32 = 12;
    let (sender, receiver) = channel::<Parcel>().unwrap();
    let mut next = [0_u64; ROUNDS as usize + 1];
    let mut take = |message: Parcel| {
        assert!(is_whole(&message), "{} of {}", message.1, message.0);
        let next = &mut next[message.0 as usize];
        assert_eq!(message.1, *next);
        *next += 1;
        message.0
    };
    // One goes on while others are killed beside it.
    let mut steady = sends::call(sender.clone(), 0).stderr(Stdio::null()).spawn().unwrap();
    for round in 1..=ROUNDS {
        let mut child = sends::call(sender.clone(), round).stderr(Stdio::null()).spawn().unwrap();
        while take(receiver.recv().unwrap()) != round {}
        // Each a little later.
        let end = Instant::now() + Duration::from_micros(400 * u64::from(round));
        while Instant::now() < end {
            take(receiver.recv().unwrap());
        }
        child.kill().unwrap();
        assert_eq!(child.join().unwrap_err().kind(), ErrorKind::Cancelled);
    }
    // It is still heard.
    while take(receiver.recv_timeout(LONG).unwrap().unwrap()) != 0 {}
    steady.kill().unwrap();
    steady.join().unwrap_err();
    drop(sender);
    let end = loop {
        match receiver.recv_timeout(LONG) {
            Ok(message) => _ = take(message.unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), ErrorKind::Closed);
}

#[child_entry]
fn receives(from: Receiver<Parcel>, report: Sender<u64>) -> Result<(), Error> {
    for message in &from {
        let message = message?;
        report.send(if is_whole(&message) { message.1 } else { u64::MAX })?;
    }
    Ok(())
}

/// Each message goes to one of them, and with each that was killed at most one is gone: that which it was telling of.
#[test]
fn receivers() {
    const ROUNDS: usize = 12;
    let (sender, receiver) = channel::<Parcel>().unwrap();
    let (end, _numbers) = channel().unwrap();
    let is_over = AtomicBool::new(false);
    let (mut all, mut count) = (BTreeSet::new(), 0);
    let mut take = |number: u64| {
        assert_ne!(number, u64::MAX, "it was not whole");
        assert!(all.insert(number), "{number} came twice");
    };
    thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            // It ends with this.
            let sender = sender;
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                sender.send_timeout(parcel(0, number, &end), LONG).unwrap();
                number += 1;
            }
            number
        });
        for round in 0..ROUNDS {
            let (report, reports) = channel().unwrap();
            let call = receives::call(receiver.clone(), report);
            let mut child = call.stderr(Stdio::null()).spawn().unwrap();
            (0..round * 3 + 1).for_each(|_| take(reports.recv().unwrap()));
            child.kill().unwrap();
            child.join().unwrap_err();
            reports.iter().for_each(|number| take(number.unwrap()));
        }
        is_over.store(true, Ordering::Relaxed);
        for message in &receiver {
            let message = message.unwrap();
            assert!(is_whole(&message));
            take(message.1);
        }
        count = feeding.join().unwrap();
    });
    let lost = (0..count).filter(|number| !all.contains(number)).count();
    assert!(lost <= ROUNDS, "{lost} of {count} are lost");
    assert_eq!(all.len() + lost, count as usize);
}

/// Everybody has both ends, and all of them are on their way in each other's channels when they are killed.
#[child_entry]
fn tosses(to: Sender<(Sender<u64>, Receiver<u64>)>, from: Receiver<(Sender<u64>, Receiver<u64>)>) -> Result<(), Error> {
    loop {
        let (sender, receiver) = channel()?;
        sender.send(7)?;
        to.send((sender, receiver))?;
        let (sender, receiver) = from.recv()?;
        sender.send(8)?;
        if (receiver.recv()?, receiver.recv()?) != (7, 8) {
            return Ok(());
        }
    }
}

#[test]
#[cfg_attr(windows, ignore = "handles that are on their way are gone there with the process that has sent them")]
fn those_who_toss_ends_to_each_other() {
    for round in 0..6 {
        let (to, from) = channel().unwrap();
        let mut children: Vec<_> =
            (0..3).map(|_| tosses::call(to.clone(), from.clone()).stderr(Stdio::null()).spawn().unwrap()).collect();
        let end = Instant::now() + Duration::from_millis(3 * round);
        let mut count = 0;
        // This process takes part.
        while Instant::now() < end || count < 10 {
            let (sender, receiver) = channel().unwrap();
            sender.send(7).unwrap();
            to.send((sender, receiver)).unwrap();
            let (sender, receiver) = from.recv().unwrap();
            sender.send(8).unwrap();
            drop(sender);
            assert_eq!(receiver.iter().collect::<Result<Vec<_>, _>>().unwrap(), [7, 8]);
            count += 1;
        }
        for child in &mut children {
            child.kill().unwrap();
        }
        for child in children {
            assert_eq!(child.join().unwrap_err().kind(), ErrorKind::Cancelled);
        }
        drop(to);
        let end = loop {
            let (sender, receiver) = match from.recv() {
                Ok(ends) => ends,
                Err(error) => break error,
            };
            drop(sender);
            assert_eq!(receiver.iter().collect::<Result<Vec<_>, _>>().unwrap(), [7]);
        };
        assert_eq!(end.kind(), ErrorKind::Closed);
    }
}
