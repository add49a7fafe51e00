//! Tasks and answers as they lie in a queue: each piece by itself, whoever takes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::answers::Flight;
use super::{check_carried, node, texts};
use crate::child;
use crate::error::{Error, ErrorKind};
use crate::handle::{self, Call};
use crate::inherit::Values;
use crate::link::{self, Frame, Inbox, Outbox, Piece, Progress};
use crate::pool::builder::Settings;
use crate::pool::job::{Bundle, Job};
use crate::pool::mailbox::Mailbox;
use crate::pool::seat;
use crate::portable::SpawnSafe;
use crate::wire::node::NodeRun;
use crate::wire::parcel::{ParcelHead, ShortHead};
use crate::wire::{AnswerHead, BLOB_HEADER_LEN, Blob, HEADER_LEN, Kind, NodeKind, TaskRecord};

/// What all parcels of a pool say of it.
pub(super) struct Standing {
    orders: Vec<u8>,
    /// Those of the initializer.
    blobs: Vec<Arc<Blob>>,
}

impl Standing {
    /// Of a pool that these settings were made for.
    pub(super) fn of(settings: &Settings, heartbeat: Duration) -> Self {
        Self::with(settings, node::orders_of(settings, heartbeat).encode())
    }

    /// Of whoever has none. Its tasks may outlive it, so its arguments are not theirs.
    fn of_nobody() -> Self {
        let settings = Settings::new();
        let orders = node::orders_of(&settings, Duration::ZERO);
        Self::with(&settings, crate::wire::node::Orders { arguments: Vec::new(), ..orders }.encode())
    }

    fn with(settings: &Settings, mut orders: Vec<u8>) -> Self {
        let (start, blobs, _) = seat::beginning(settings, &Values::default(), 0);
        start.iter().for_each(|piece| orders.extend_from_slice(piece));
        Self { orders, blobs }
    }

    /// Takes jobs off, or a part of the first that is left, for one parcel of so many tasks and bytes at most. One task alone
    /// may be longer. All have the same inherited statics.
    pub(super) fn divide(&self, jobs: &mut VecDeque<Job>, most_tasks: usize, most_bytes: usize) -> Vec<Job> {
        let (mut parcel, mut tasks) = (Vec::<Job>::new(), 0);
        let mut left = most_bytes.saturating_sub(jobs.front().map_or(0, |job| self.len_without(job)));
        while let Some(mut job) = jobs.pop_front() {
            let room = NodeRun::ROOM + job.bundle.entry.name().len();
            let mut part = job.within(left.saturating_sub(room)).min(most_tasks - tasks);
            if let Some(first) = parcel.first() {
                if part == 0 || job.retries != first.retries || !job.bundle.blobs.is_empty() {
                    jobs.push_front(job);
                    break;
                }
            }
            part = part.max(1);
            if part < job.len() {
                jobs.push_front(job.split_off(part));
            }
            left = left.saturating_sub(room + job.bytes() + BLOB_HEADER_LEN * job.bundle.blobs.len());
            tasks += part;
            parcel.push(job);
        }
        parcel
    }

    /// How many bytes a parcel has besides runs of tasks, if the inherited statics are those of this job.
    fn len_without(&self, job: &Job) -> usize {
        let values: usize = job.bundle.values.section().iter().map(|piece| piece.len()).sum();
        let blobs: usize = self.blobs.iter().map(|blob| BLOB_HEADER_LEN + blob.len()).sum();
        HEADER_LEN + ParcelHead::LEN + self.orders.len() + values + blobs
    }

    /// The parcel of these jobs, and the number of its first task. All have the same inherited statics and retries.
    pub(super) fn parcel(&self, jobs: Vec<Job>, flight: &mut Flight) -> (u64, Vec<u8>) {
        let first = flight.next();
        let retries = jobs.first().map_or(0, |job| job.retries);
        let values = jobs.first().map_or_else(Values::nothing, |job| job.bundle.values.section());
        // Whoever gets it has heard of no entry.
        flight.forget_entries();
        let (runs, more) = flight.board(jobs, 0);
        let count = (flight.next() - first) as u32;
        let head = ParcelHead { first, count, retries, blobs: self.blobs.len() as u16, orders: &self.orders };
        let mut items = vec![Piece::Owned(head.encode())];
        items.extend(values);
        items.push(Piece::Owned(runs));
        let blobs = self.blobs.iter().map(Arc::clone).chain(more).collect();
        (first, bytes_of(Outbox::of_shared(Kind::Node(NodeKind::Parcel), items, blobs, Vec::new())))
    }
}

/// A frame as bytes.
pub(super) fn bytes_of(mut frame: Outbox) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    let write = |pieces: &[std::io::IoSlice<'_>], _: &[&_]| {
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
        Ok(pieces.iter().map(|piece| piece.len()).sum())
    };
    frame.pump(write).expect("memory takes all");
    bytes
}

/// The frames in what has come; `None` in place of one that is damaged, and nothing after it.
pub(super) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Option<Frame>> {
    let mut is_damaged = false;
    std::iter::from_fn(move || {
        if bytes.is_empty() || is_damaged {
            return None;
        }
        match Inbox::default().pump(&mut bytes, usize::MAX) {
            Ok(Progress::Complete(frame)) if frame.attachments.is_empty() => Some(Some(frame)),
            _ => {
                is_damaged = true;
                Some(None)
            }
        }
    })
}

/// A call that is on its way without a pool.
#[derive(Debug)]
pub struct Posted {
    /// The name of its entry.
    pub entry: &'static str,
    /// What an agent is to be given.
    pub bytes: Vec<u8>,
}

/// Packs a call so that some agent can run it, whenever that is.
pub fn post<R>(call: Call<R>) -> Result<Posted, Error> {
    let task = call.into_task()?;
    let entry = task.entry.name();
    check_carried(&task.packed.attachments).map_err(|error| error.in_entry(entry))?;
    let values = Arc::new(Values::now().map_err(|error| error.in_entry(entry))?);
    let mut bundle = Bundle::new((task.entry, task.index), (&Arc::<Mailbox>::default(), &values), 0, 1);
    bundle.push(&task.packed.items);
    bundle.blobs = task.packed.blobs.into_iter().map(Arc::new).collect();
    bundle.timeout = task.timeout;
    let job = bundle.into_job(task.entry.retries());
    let (_, bytes) = Standing::of_nobody().parcel(vec![job], &mut Flight::default());
    Ok(Posted { entry, bytes })
}

/// An error for a parcel with more bytes than the queue takes.
#[must_use]
pub fn too_large(entry: &str, bytes: usize, largest: usize) -> Error {
    texts::too_large(bytes, largest).in_entry(entry.to_owned())
}

/// How long a message is that only says what is wrong with an agent, at most.
const FAILURE: usize = 8 << 10;

/// The answer that an error is. It fits into a message of any server.
#[must_use]
pub fn failure(error: &Error) -> Vec<u8> {
    bytes_of(failure_within(FAILURE, Kind::Failure, &[], error))
}

/// An error as a frame of so many bytes at most, whatever its texts are: the panic of a task may say a lot, and an answer that
/// is not stored is none. The name of the entry has come in a message as well.
pub(super) fn failure_within(most: usize, kind: Kind, head: &[u8], error: &Error) -> Outbox {
    let whole = Outbox::new(kind, head, child::pack_error(error));
    match whole.len() > most {
        true => Outbox::new(kind, head, child::pack_error(&error.shortened(most / 16))),
        false => whole,
    }
}

/// The error that [`failure`] has packed.
#[must_use]
pub fn failure_in(bytes: &[u8]) -> Option<Error> {
    let frame = frames(bytes).next().flatten().filter(|frame| frame.kind == Kind::Failure)?;
    Some(handle::failure(&frame.items, frame.blobs))
}

/// An error of workers that cannot be started on a node.
#[must_use]
pub fn unfit(node: &str, error: &Error) -> Error {
    texts::unfit(node, error)
}

/// What is to be done where nobody serves a queue.
#[must_use]
pub fn nobody(url: &str) -> String {
    texts::nobody(url)
}

/// The value in the answer to a posted call.
pub fn open<R: SpawnSafe>(answer: &[u8]) -> Result<R, Error> {
    let damaged = || Error::new(ErrorKind::Protocol, "what is stored as its answer cannot be read");
    let frame = frames(answer).next().flatten().ok_or_else(damaged)?;
    let unpack = |body: &[u8], blobs| {
        let mut unpacker = link::unpacker(body, blobs);
        let value = R::__unpack(&mut unpacker).and_then(|value| unpacker.finish().map(|()| value));
        value.map_err(|error| handle::undecodable(&error))
    };
    match frame.kind {
        Kind::Node(NodeKind::Answers) => {
            let (ShortHead { count: 1, .. }, records) = ShortHead::decode(&frame.items).ok_or_else(damaged)? else {
                return Err(damaged());
            };
            let (TaskRecord(body), _) = TaskRecord::decode(records).ok_or_else(damaged)?;
            unpack(body, Vec::new())
        }
        Kind::Node(NodeKind::Long) => {
            let (head, body) = AnswerHead::decode(&frame.items).ok_or_else(damaged)?;
            if head.failed { Err(handle::failure(body, frame.blobs)) } else { unpack(body, frame.blobs) }
        }
        Kind::Failure => Err(handle::failure(&frame.items, frame.blobs)),
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::job::tests::job_of;

    #[test]
    fn no_parcel_is_longer_than_a_message_if_its_tasks_are_not() {
        let standing = Standing::of_nobody();
        for shape in [&[60][..], &[1, 100, 3], &[90; 40], &[0; 500], &[200; 3]] {
            for most_bytes in (600..1200).step_by(7) {
                let mut jobs: VecDeque<Job> = (0..40).map(|_| job_of(shape)).collect();
                let (mut flight, mut tasks) = (Flight::default(), 0);
                while !jobs.is_empty() {
                    let parcel = standing.divide(&mut jobs, 300, most_bytes);
                    let count = parcel.iter().map(Job::len).sum::<usize>();
                    assert!((1..=300).contains(&count));
                    let (first, bytes) = standing.parcel(parcel, &mut flight);
                    assert_eq!(first, tasks);
                    assert!(bytes.len() <= most_bytes, "{shape:?}: {} of {most_bytes}", bytes.len());
                    tasks += count as u64;
                }
                assert_eq!(tasks, 40 * shape.len() as u64);
            }
        }
    }

    #[test]
    fn errors_fit_into_messages() {
        let long = "ä".repeat(100_000);
        let panic = crate::error::Panic {
            message: long.clone(),
            location: None,
            thread: Some(long.clone()),
            backtrace: Some(long.clone()),
        };
        let cause = crate::RemoteError::msg(&long);
        let error = Error::new(ErrorKind::Panicked, &*long).with_panic(panic).with_source(cause).in_entry("e");
        for most in [1000, 8 << 10, 63 << 10] {
            let frame = bytes_of(failure_within(most, Kind::Failure, &[], &error));
            assert!(frame.len() <= most, "{} of {most}", frame.len());
            let short = failure_in(&frame).unwrap();
            assert_eq!((short.kind(), short.entry()), (ErrorKind::Panicked, Some("e")));
            let panic = short.panic().unwrap();
            assert!(panic.message().starts_with('ä') && panic.message().ends_with("… (200000 bytes)"));
        }
        assert!(failure(&error).len() <= FAILURE);
        let whole = bytes_of(failure_within(usize::MAX, Kind::Failure, &[], &error));
        assert_eq!(failure_in(&whole).unwrap().panic(), error.panic());
    }

    #[test]
    fn a_task_that_is_too_long_is_alone() {
        let standing = Standing::of_nobody();
        let mut jobs: VecDeque<Job> = [&[1, 200, 2][..], &[3]].map(job_of).into();
        let parcels: Vec<Vec<usize>> = std::iter::from_fn(|| {
            let most_bytes = standing.len_without(jobs.front()?) + 100;
            let parcel = standing.divide(&mut jobs, 300, most_bytes);
            Some(parcel.iter().map(Job::bytes).collect())
        })
        .collect();
        assert_eq!(parcels, [vec![2], vec![202], vec![3], vec![4]]);
    }
}
