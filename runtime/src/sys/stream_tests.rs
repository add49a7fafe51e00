//! What a connection keeps on every system.

use std::io::{self, IoSlice, Read as _};
use std::thread;
#[cfg(feature = "tracing")]
use std::time::{Duration, Instant};

use super::Stream;
#[cfg(feature = "tracing")]
use super::imp::has_more_to_write;
use super::imp::parent_and_child;

fn read(from: &Stream, len: usize) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), [0; 10_000]);
    while all.len() < len {
        let mut from = from;
        match from.read(&mut buf) {
            Ok(count) => {
                assert!(count > 0, "it ends after {} bytes", all.len());
                all.extend_from_slice(&buf[..count]);
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                thread::yield_now();
            }
        }
    }
    all
}

/// Writes on until the connection takes no more, on a thread that then ends. Gives how much it has taken.
fn write_on(to: &Stream, bytes: &[u8], mut written: usize) -> io::Result<usize> {
    let write = || {
        while written < bytes.len() {
            match to.write(&[IoSlice::new(&bytes[written..])], &[]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                done => written += done?,
            }
        }
        Ok(written)
    };
    thread::scope(|scope| scope.spawn(write).join().unwrap())
}

#[test]
fn what_a_thread_writes_goes_on_when_it_has_ended() {
    let (parent, child) = parent_and_child().unwrap();
    let bytes: Vec<u8> = (0..1_500_000_u32).map(|at| (at / 7) as u8).collect();
    let mut written = write_on(&parent, &bytes, 0).unwrap();
    assert!(written < bytes.len(), "it takes everything");
    let arrived = thread::scope(|scope| {
        let reads = scope.spawn(|| read(&child, bytes.len()));
        while written < bytes.len() {
            match write_on(&parent, &bytes, written) {
                Ok(now) => written = now,
                Err(error) => {
                    // Or the reader waits for ever.
                    drop(parent);
                    panic!("{error}");
                }
            }
        }
        reads.join().unwrap()
    });
    assert!(arrived == bytes);
}

#[cfg(feature = "tracing")]
#[test]
fn what_is_told_waits_for_nobody_and_stays_in_order() {
    let (parent, child) = parent_and_child().unwrap();
    let mut told = Vec::new();
    // As much as the connection takes, and one more time.
    while child.has_room(Instant::now()) {
        let next = vec![told.len() as u8; 60_000];
        assert_eq!(child.tell(&[IoSlice::new(&next), IoSlice::new(b"end")]).unwrap(), 60_003);
        told.extend(next);
        told.extend_from_slice(b"end");
        assert!(told.len() < 10 << 20, "it takes everything");
    }
    assert!(!child.has_room(Instant::now() + Duration::from_millis(30)));
    assert!(has_more_to_write(&child));
    let answer = vec![7; 1000];
    let read = thread::scope(|scope| {
        scope.spawn(|| assert_eq!(child.write(&[IoSlice::new(&answer)], &[]).unwrap(), answer.len()));
        read(&parent, told.len() + answer.len())
    });
    assert!(read[..told.len()] == told && read[told.len()..] == answer);
    assert!(child.has_room(Instant::now()) && !has_more_to_write(&child));
    drop(parent);
    // Writing tells.
    assert!(child.has_room(Instant::now()) && child.tell(&[IoSlice::new(b"x")]).is_err());
}
