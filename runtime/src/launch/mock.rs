//! A child that is a script and not a process, so that what a parent does can be tested event by event.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::Peer;
use crate::sys::{Ended, Interest, OwnedHandle, Ready, Receive, Stream, Watch};

/// What happens next on the child's side.
#[derive(Debug)]
pub(crate) enum Event {
    /// These bytes arrive.
    Bytes(Vec<u8>),
    /// Nothing more arrives until the parent has waited.
    Pause,
    /// The connection closes.
    Close,
    /// The process ends.
    End(Ended),
}

/// What the parent has done.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) written: Vec<u8>,
    pub(crate) waits: usize,
    pub(crate) killed: bool,
    pub(crate) reaped: bool,
}

/// A scripted child.
#[derive(Debug)]
pub(crate) struct Mock {
    script: VecDeque<Event>,
    ended: Option<Ended>,
    /// How many bytes it takes before its connection is full, for ever.
    room: usize,
    log: Arc<Mutex<Log>>,
}

impl Mock {
    pub(crate) fn scripted(script: impl IntoIterator<Item = Event>, room: usize) -> (Box<dyn Peer>, Arc<Mutex<Log>>) {
        let log = Arc::default();
        let mock = Self { script: script.into_iter().collect(), ended: None, room, log: Arc::clone(&log) };
        (Box::new(mock), log)
    }
}

impl Read for Mock {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.script.front_mut() {
            Some(Event::Bytes(bytes)) => {
                let count = bytes.len().min(buf.len());
                buf[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    self.script.pop_front();
                }
                Ok(count)
            }
            Some(Event::Close) => Ok(0),
            Some(Event::Pause | Event::End(_)) | None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Receive for Mock {}

impl Peer for Mock {
    fn id(&self) -> u32 {
        17
    }

    fn write(&mut self, pieces: &[IoSlice<'_>], _: &[&OwnedHandle]) -> io::Result<usize> {
        let bytes = pieces[0].iter().copied().take(self.room);
        let mut log = self.log.lock().unwrap();
        let before = log.written.len();
        log.written.extend(bytes);
        let count = log.written.len() - before;
        self.room -= count;
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn hang_up(&mut self) {
        self.script.retain(|event| !matches!(event, Event::Bytes(_) | Event::Close));
    }

    fn kill(&mut self) -> io::Result<()> {
        self.log.lock().unwrap().killed = true;
        if self.ended.is_none() {
            self.script.retain(|event| !matches!(event, Event::End(_)));
            self.script.push_front(Event::End(Ended::With(crate::error::ExitStatus::from_signal(9, false))));
        }
        Ok(())
    }

    fn try_wait(&mut self) -> io::Result<Option<Ended>> {
        if let Some(Event::End(ended)) = self.script.front() {
            self.ended = Some(*ended);
            self.log.lock().unwrap().reaped = true;
            self.script.pop_front();
        }
        Ok(self.ended)
    }

    fn wait(&mut self, _: Option<Interest>, deadline: Option<Instant>) -> io::Result<Ready> {
        self.log.lock().unwrap().waits += 1;
        match self.script.front() {
            // A closed connection is no longer of interest: what comes after it is.
            Some(Event::Pause | Event::Close) => drop(self.script.pop_front()),
            None if deadline.is_none() => panic!("this would wait for ever"),
            _ => {}
        }
        Ok(Ready::default())
    }

    fn watch(&self) -> Watch {
        unreachable!("these tests set no time limits and detach nothing")
    }

    fn ends(&self) -> (Watch, Option<Arc<Stream>>) {
        unreachable!("these tests wait in one place only")
    }

    fn release(&mut self) -> io::Result<()> {
        unreachable!("these tests detach nothing")
    }

    #[cfg(feature = "tokio")]
    fn async_wait(&self) -> io::Result<crate::sys::AsyncWait> {
        unreachable!("these tests await nothing")
    }
}
