//! Tasks and answers as they lie in a queue: each piece by itself, whoever takes it.

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
use crate::wire::parcel::{ParcelHead, ShortHead};
use crate::wire::{AnswerHead, Blob, Kind, NodeKind, TaskRecord};

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

    /// How long that is.
    pub(super) fn len(&self) -> usize {
        self.orders.len() + self.blobs.iter().map(|blob| blob.len()).sum::<usize>()
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

/// The answer that an error is.
#[must_use]
pub fn failure(error: &Error) -> Vec<u8> {
    bytes_of(Outbox::new(Kind::Failure, &[], child::pack_error(error)))
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
