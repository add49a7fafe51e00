//! Which tasks a parcel has, and which of them have answers already.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::pool::engine::parcel::frames;
use crate::pool::job::Job;
use crate::wire::node::decode_numbers;
use crate::wire::parcel::ShortHead;
use crate::wire::{AnswerHead, Kind, NodeKind, TaskRecord};

/// The numbers of a job's tasks.
pub(super) fn numbers_of(job: &Job) -> Range<u64> {
    job.first()..job.first() + job.len() as u64
}

/// The tasks that have no answer yet.
pub(super) fn without(jobs: Vec<Job>, answered: &BTreeSet<u64>) -> Vec<Job> {
    let mut open = Vec::new();
    for mut job in jobs {
        loop {
            let rest = (job.len() > 1).then(|| job.split_off(1));
            if !answered.contains(&job.first()) {
                open.push(job);
            }
            match rest {
                Some(rest) => job = rest,
                None => break,
            }
        }
    }
    open
}

/// Notes the numbers of those tasks that these answers are for. What cannot be read says nothing.
pub(super) fn note_answered(bytes: &[u8], tasks: &Range<u64>, answered: &mut BTreeSet<u64>) {
    for frame in frames(bytes).flatten() {
        match frame.kind {
            Kind::Node(NodeKind::Answers) => {
                let mut rest = &*frame.items;
                while let Some((ShortHead { first, count }, records)) = ShortHead::decode(rest) {
                    rest = records;
                    for task in 0..u64::from(count) {
                        let Some((_, after)) = TaskRecord::decode(rest) else { return };
                        answered.insert(first + task);
                        rest = after;
                    }
                }
            }
            Kind::Node(NodeKind::Long) => answered.extend(AnswerHead::decode(&frame.items).map(|(head, _)| head.task)),
            Kind::Node(NodeKind::Yielded) => {
                for run in decode_numbers(&frame.items).unwrap_or_default().chunks_exact(2) {
                    answered.extend(run[0].max(tasks.start)..run[0].saturating_add(run[1]).min(tasks.end));
                }
            }
            _ => {}
        }
    }
}
