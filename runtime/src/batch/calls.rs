//! The file with the calls of a batch: written once, and read from anywhere in it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::folder::{read_at, read_frame, write_frame, write_once};
use super::texts;
use crate::error::Error;
use crate::handle::{Call, Stored};
use crate::inherit::{self, Values};
use crate::link::Outbox;
use crate::registry;
use crate::sys;
use crate::wire::batch::{
    BatchHead, CALLS_END_LEN, INDEX_LEN, Indexed, StoredHead, decode_calls_end, encode_calls_end,
};
use crate::wire::{Blob, Kind, Packed};

/// How much is written at a time.
const BUFFER: usize = 256 << 10;

/// Writes the calls, and what all have in common, whose results are of the type of this name. All are written, or none. Gives the
/// number of the batch.
pub(super) fn write<R>(path: &Path, result: &str, calls: impl Iterator<Item = Call<R>>) -> Result<(), Error> {
    let statics = Values::now()?.section();
    let arguments: Vec<_> = std::env::args_os().collect();
    let head = BatchHead {
        build: sys::portable_build_id(),
        id: super::folder::random(),
        result,
        arguments: arguments.iter().map(|argument| argument.as_encoded_bytes()).collect(),
    };
    let first = Outbox::with_pieces(Kind::Worker, &head.encode(), statics, Packed::default());
    // What is wrong with a call is another error than one of the file.
    let mut fault = None;
    let written = write_once(path, |file| {
        let mut to = BufWriter::with_capacity(BUFFER, file);
        let mut at = write_frame(&mut to, first)?;
        let (mut index, mut count) = (Vec::new(), 0_u32);
        for call in calls {
            let frame = match pack(call) {
                Ok((frame, retries)) => {
                    Indexed { at, retries }.encode(&mut index);
                    frame
                }
                Err(error) => {
                    fault = Some(error);
                    return Err(io::ErrorKind::InvalidInput.into());
                }
            };
            at += write_frame(&mut to, frame)?;
            count = count.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        }
        to.write_all(&index)?;
        to.write_all(&encode_calls_end(count))?;
        to.flush()
    });
    match (fault, written) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(texts::not_written(path, error)),
        (None, Ok(false)) => Err(texts::there_already(path)),
        (None, Ok(true)) => Ok(()),
    }
}

/// The frame of a call, and how often it may run again.
fn pack<R>(call: Call<R>) -> Result<(Outbox, u32), Error> {
    let task = call.into_task_unless(texts::not_for_a_batch)?;
    if let Some(attachment) = task.packed.attachments.first() {
        return Err(texts::argument_not_carried(attachment.argument()).in_entry(task.entry.name()));
    }
    let head = StoredHead {
        index: task.index,
        position: task.entry.position(),
        timeout: task.timeout.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        name: task.entry.name(),
    };
    Ok((Outbox::new(Kind::Call, &head.encode(), task.packed), task.entry.retries()))
}

/// The calls of a batch.
#[derive(Debug)]
pub(super) struct Calls {
    path: PathBuf,
    file: Mutex<File>,
    id: u64,
    result: String,
    arguments: Vec<Vec<u8>>,
    statics: Values,
    count: u32,
    /// Where the index begins.
    index: u64,
}

impl Calls {
    /// Reads what all have in common.
    ///
    /// # Errors
    /// If another build has written it, or it is not whole.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| texts::no_batch(path, error))?;
        let frame = read_frame(BufReader::new(&file)).map_err(|why| texts::damaged(path, &why))?;
        let damaged = || texts::damaged(path, "it is no file of calls");
        if frame.kind != Kind::Worker {
            return Err(damaged());
        }
        if BatchHead::build(&frame.items).ok_or_else(damaged)? != sys::portable_build_id() {
            return Err(texts::build_mismatch(path));
        }
        let (head, rest) = BatchHead::decode(&frame.items).ok_or_else(damaged)?;
        let (values, _) = inherit::split(rest).ok_or_else(damaged)?;
        let statics = Values::default().with(&values)?;
        let end = || {
            let len = file.metadata()?.len();
            let at = len.checked_sub(CALLS_END_LEN as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok::<_, io::Error>((len, read_at(&file, at)?))
        };
        let (len, end) = end().map_err(|error| texts::damaged(path, &error.to_string()))?;
        let (count, index) = decode_calls_end(len, &end).ok_or_else(|| texts::damaged(path, "its end is missing"))?;
        Ok(Self {
            id: head.id,
            result: head.result.to_owned(),
            arguments: head.arguments.iter().map(|argument| argument.to_vec()).collect(),
            path: path.to_owned(),
            file: Mutex::new(file),
            statics,
            count,
            index,
        })
    }

    pub(super) fn len(&self) -> u32 {
        self.count
    }

    /// Tells the batch from others.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The name of the type of its results.
    pub(super) fn result(&self) -> &str {
        &self.result
    }

    pub(super) fn arguments(&self) -> &[Vec<u8>] {
        &self.arguments
    }

    fn damaged(&self, why: &str) -> Error {
        texts::damaged(&self.path, why)
    }

    fn indexed(&self, task: u32) -> Result<Indexed, Error> {
        if task >= self.count {
            return Err(self.damaged("it has fewer calls than are asked for"));
        }
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = read_at(&file, self.index + u64::from(task) * INDEX_LEN as u64);
        bytes.map(|bytes| Indexed::decode(&bytes)).map_err(|error| self.damaged(&error.to_string()))
    }

    /// How often a task may run again if it was lost.
    pub(super) fn retries(&self, task: u32) -> Result<u32, Error> {
        self.indexed(task).map(|indexed| indexed.retries)
    }

    /// A call, ready to be run.
    pub(super) fn call(&self, task: u32) -> Result<Stored, Error> {
        let Indexed { at, .. } = self.indexed(task)?;
        let frame = {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at)).map_err(|error| self.damaged(&error.to_string()))?;
            read_frame(BufReader::with_capacity(BUFFER, &*file)).map_err(|why| self.damaged(&why))?
        };
        let head = StoredHead::decode(&frame.items).filter(|_| frame.kind == Kind::Call);
        let (head, arguments) = head.ok_or_else(|| self.damaged("one of its calls cannot be read"))?;
        let entry = registry::find(head.index, head.name, head.position)
            .ok_or_else(|| texts::unknown_entry().in_entry(head.name.to_owned()))?;
        Ok(Stored {
            entry,
            index: head.index,
            arguments: Packed {
                items: arguments.to_vec(),
                blobs: frame.blobs.into_iter().map(Blob::from).collect(),
                ..Packed::default()
            },
            statics: self.statics.section(),
            timeout: head.timeout.map(Duration::from_nanos),
        })
    }
}
