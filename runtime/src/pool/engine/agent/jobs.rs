//! Tasks that have come to a node, as jobs of its pool.

use std::sync::Arc;
use std::time::Duration;

use super::streams::Runs;
use super::{Find, texts};
use crate::error::Error;
use crate::inherit::Values;
use crate::pool::job::{Bundle, Job};
use crate::pool::mailbox::Mailbox;
use crate::registry::Entry;
use crate::wire::node::NodeRun;
use crate::wire::{Blob, EntryHead, TaskRecord};

/// An entry that runs of tasks refer to, and its index; its name where it is not here.
pub(super) type Known = Result<(&'static Entry, u32), String>;

/// Where tasks that have come are to go.
pub(super) struct Destination<'a> {
    pub(super) mailbox: &'a Arc<Mailbox>,
    pub(super) values: &'a Arc<Values>,
    pub(super) runs: &'a Runs,
}

/// The runs of tasks that a frame ends with, as jobs of the local pool. Those of entries that are not here are refused. `None`
/// if the frame is none.
pub(super) fn read_jobs(
    mut rest: &[u8],
    blobs: Vec<Vec<u8>>,
    entries: &mut Vec<Known>,
    to: &Destination<'_>,
    retries: u32,
    find: Find,
    mut refuse: impl FnMut(u64, Error),
) -> Option<Vec<Job>> {
    let mut blobs = blobs.into_iter();
    let mut jobs = Vec::new();
    while !rest.is_empty() {
        let (NodeRun { number, timeout, run }, records, after) = NodeRun::decode(rest, entries.len() as u32)?;
        rest = after;
        // Each task has one byte at least: a few may not stand for many.
        let last = number.checked_add(run.count.into()).filter(|_| run.count as usize <= records.len())?;
        let mut records = &records[..];
        if let Some(EntryHead { index, position, name }) = run.new {
            let found = find(index, name, position).map(|entry| (entry, index));
            entries.push(found.ok_or_else(|| name.to_owned()));
        }
        let own = blobs.by_ref().take(run.blobs.into()).map(|blob| Arc::new(Blob::from(blob))).collect();
        let entry = match entries.get(run.entry as usize)? {
            Ok(entry) => *entry,
            Err(name) => {
                let error = || texts::unknown_entry().in_entry(name.clone());
                (number..last).for_each(|task| refuse(task, error()));
                continue;
            }
        };
        // Each can be cancelled by itself.
        let mailbox = Arc::new(Mailbox::forwarding(Arc::clone(to.mailbox)));
        let mut bundle = Bundle::new(entry, (&mailbox, to.values), number, run.count as usize);
        for _ in 0..run.count {
            let (TaskRecord(arguments), others) = TaskRecord::decode(records)?;
            records = others;
            bundle.push(arguments);
        }
        bundle.blobs = own;
        bundle.timeout = timeout.map(Duration::from_nanos);
        to.runs.begin(number, bundle.len(), mailbox);
        jobs.push(bundle.into_job(retries));
    }
    Some(jobs)
}
