//! The results of a batch, read one after another.

use std::fmt;
use std::iter::{Enumerate, FusedIterator};
use std::marker::PhantomData;

use super::calls::Calls;
use super::folder::{Folder, read_frame_of};
use super::survey::State;
use super::texts;
use crate::error::Error;
use crate::handle;
use crate::link;
use crate::portable::SpawnSafe;
use crate::wire::Kind;
use crate::wire::batch::AnswerSource;

/// The results of a [`Batch`](crate::Batch) that are there: [`Batch::results`](crate::Batch::results).
#[must_use = "results are read while they are asked for"]
pub struct Results<'a, R> {
    folder: &'a Folder,
    calls: &'a Calls,
    states: Enumerate<std::vec::IntoIter<State>>,
    results: PhantomData<fn() -> R>,
}

impl<'a, R: SpawnSafe> Results<'a, R> {
    pub(super) fn new(folder: &'a Folder, calls: &'a Calls, states: Vec<State>) -> Self {
        Self { folder, calls, states: states.into_iter().enumerate(), results: PhantomData }
    }

    fn answer(&self, task: u32) -> Result<R, Error> {
        let path = self.folder.answer(task);
        let damaged = |why: &str| texts::damaged_answer(&path, why);
        let frame = read_frame_of(&path).map_err(|why| damaged(&why))?.ok_or_else(|| damaged("it is gone"))?;
        let read = AnswerSource::decode(&frame.items);
        let (source, body) = read.ok_or_else(|| damaged("it is none"))?;
        if (source.batch, source.task) != (self.calls.id(), task) {
            return Err(damaged("it is that of another task"));
        }
        match frame.kind {
            Kind::Value => {
                let mut unpacker = link::unpacker(body, frame.blobs);
                let value = R::__unpack(&mut unpacker).and_then(|value| unpacker.finish().map(|()| value));
                value.map_err(|error| handle::undecodable(&error))
            }
            Kind::Failure => Err(handle::failure(body, frame.blobs)),
            _ => Err(damaged("it is none")),
        }
    }

    /// Says in an error which entry it was.
    fn named(&self, task: u32, error: Error) -> Error {
        if error.entry().is_some() {
            return error;
        }
        match self.calls.call(task) {
            Ok(call) => error.in_entry(call.entry.name()),
            Err(_) => error,
        }
    }
}

impl<R: SpawnSafe> Iterator for Results<'_, R> {
    type Item = (usize, Result<R, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, state) = self.states.next()?;
            let task = number as u32;
            let result = match state {
                State::Done | State::Failed => self.answer(task),
                State::Lost(loss) => Err(loss.error(task)),
                State::Running | State::Waiting { .. } => continue,
            };
            return Some((number, result.map_err(|error| self.named(task, error))));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.states.size_hint().1)
    }
}

impl<R: SpawnSafe> FusedIterator for Results<'_, R> {}

impl<R> fmt::Debug for Results<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("path", &self.folder.root()).finish_non_exhaustive()
    }
}
