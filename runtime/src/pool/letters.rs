//! Answers on their way from workers to whoever has asked for them.

use std::sync::Arc;

use super::job::Bundle;
use crate::error::Error;
use crate::handle::{self, Unpack};
use crate::link::{self, Answers};
use crate::registry::Entry;
use crate::wire::{Arrived, CodecError, Unpacker};

/// Answers, and whose they are.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) bundle: Arc<Bundle>,
    pub(super) letter: Letter,
}

/// Answers on their way to their mailboxes.
pub(super) type Deliveries = Vec<Delivery>;

/// The answers of tasks that follow each other.
#[derive(Debug)]
pub(super) struct Letter {
    /// What the mailbox knows the first task by.
    pub(super) first: u64,
    /// How many there are.
    pub(super) count: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Small values, from this place on: a part of what has arrived together.
    Values { entry: &'static Entry, answers: Arc<Answers>, at: usize },
    /// One value, as it came: behind the head of its answer.
    Long { entry: &'static Entry, items: Vec<u8>, start: usize, blobs: Vec<Vec<u8>>, attachments: Vec<Arrived> },
    /// Why there is no value.
    Failed(Error),
}

impl Letter {
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.content, Content::Failed(_))
    }

    /// How much memory a long one takes. Others are short, or they would have come by themselves.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Long { items, blobs, .. } => items.len() + blobs.iter().map(Vec::len).sum::<usize>(),
            Content::Values { .. } | Content::Failed(_) => 0,
        }
    }

    /// Takes the next answer.
    pub(super) fn take<R>(&mut self, unpack: Unpack<R>) -> Result<R, Error> {
        self.first += 1;
        self.count -= 1;
        let (value, entry) = match &mut self.content {
            Content::Values { entry, answers, at } => (small(answers, at, unpack), *entry),
            Content::Long { entry, items, start, blobs, attachments } => {
                let unpacker = link::unpacker(&items[*start..], std::mem::take(blobs));
                (unpacked(unpacker.with_attachments(std::mem::take(attachments)), unpack), *entry)
            }
            Content::Failed(error) => return Err(std::mem::replace(error, handle::already_joined())),
        };
        value.map_err(|error| handle::undecodable(&error).in_entry(entry.name()))
    }
}

#[inline]
fn small<R>(answers: &Answers, at: &mut usize, unpack: Unpack<R>) -> Result<R, CodecError> {
    let (answer, next) = answers.get(*at).expect("it was there when the letter was written");
    *at = next;
    unpacked(link::unpacker(answer.body, Vec::new()), unpack)
}

#[inline]
fn unpacked<R>(mut unpacker: Unpacker<'_>, unpack: Unpack<R>) -> Result<R, CodecError> {
    let value = unpack(&mut unpacker)?;
    unpacker.finish()?;
    Ok(value)
}
