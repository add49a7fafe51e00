//! What a worker sends: answers, which are matched with the tasks that it has, and events.

use std::sync::Arc;

use super::{Driver, End, Flying};
use crate::handle;
#[cfg(feature = "tracing")]
use crate::link;
use crate::link::{Answers, Frame};
use crate::pool::job::Job;
use crate::pool::letters::{Content, Deliveries};
use crate::wire::AnswerHead;
#[cfg(all(feature = "engines", feature = "tracing"))]
use crate::wire::EventHead;

impl Driver {
    /// Takes the answers out of the memory that it shares with this process.
    pub(super) fn drain(&mut self, deliveries: &mut Deliveries) -> Result<(), End> {
        let answers = self.pop()?;
        self.accept_short(answers, deliveries)
    }

    pub(super) fn pop(&mut self) -> Result<Answers, End> {
        match &mut self.ring {
            Some(ring) => ring.pop().map_err(|_| damaged()),
            None => Ok(Answers::default()),
        }
    }

    pub(super) fn accept_short(&mut self, answers: Answers, deliveries: &mut Deliveries) -> Result<(), End> {
        let (answers, mut at) = (Arc::new(answers), 0);
        while !answers.is_end(at) {
            let (answer, next) = answers.get(at).ok_or_else(damaged)?;
            let number = self.number_of(answer.task);
            if answer.failed {
                let error = handle::failure(answer.body, Vec::new());
                self.ends(number, 1, Content::Failed(error), deliveries)?;
                at = next;
                continue;
            }
            let (count, next) = self.values_from(number, &answers, next);
            let entry = self.find(number).ok_or_else(not_given)?.1.bundle.entry;
            self.ends(number, count, Content::Values { entry, answers: Arc::clone(&answers), at }, deliveries)?;
            at = next;
        }
        Ok(())
    }

    /// How many answers, of which the first is a value and ends at `next`, are for tasks of one job and are values as
    /// well; and where the others begin.
    fn values_from(&self, number: u64, answers: &Answers, mut next: usize) -> (usize, usize) {
        let most = self.find(number).map_or(1, |(_, job, before)| job.len() - before);
        let mut count = 1;
        while count < most {
            match answers.get(next) {
                Some((answer, after))
                    if !answer.failed && answer.task == (number as u32).wrapping_add(count as u32) =>
                {
                    count += 1;
                    next = after;
                }
                _ => break,
            }
        }
        (count, next)
    }

    pub(super) fn accept_long(&mut self, frame: Frame, deliveries: &mut Deliveries) -> Result<(), End> {
        let Some((head, body)) = AnswerHead::decode(&frame.items) else {
            return Err(End::Garbage("an answer of it cannot be read".into()));
        };
        let content = match head.failed {
            true => Content::Failed(handle::failure(body, frame.blobs)),
            false => {
                let entry = self.find(head.task).ok_or_else(not_given)?.1.bundle.entry;
                let Frame { items, blobs, attachments, .. } = frame;
                Content::Long { entry, items, start: AnswerHead::LEN, blobs, attachments }
            }
        };
        self.ends(head.task, 1, content, deliveries)
    }

    /// Takes an event, which belongs to the span of the task that it is of.
    #[cfg(feature = "tracing")]
    pub(super) fn hear(&mut self, frame: &Frame) -> Result<(), End> {
        let unreadable = || End::Garbage("an event of it cannot be read".into());
        let (task, event) = link::event(frame).ok_or_else(unreadable)?;
        #[cfg(feature = "engines")]
        if let Some(relay) = &self.relay {
            let found = task.and_then(|task| self.find(task));
            let (_, body) = EventHead::decode(&frame.items).ok_or_else(unreadable)?;
            (relay.send)(found.map(|(_, job, before)| job.first() + before as u64), body);
            return Ok(());
        }
        // One that has come late is of the worker, as is one of a task that was submitted where nobody listens.
        let found = task.and_then(|task| self.find(task)).and_then(|(_, job, before)| job.span(before));
        let span = found.filter(|span| span.is_heard()).unwrap_or(&self.span).clone();
        self.heard.push(span, event);
        Ok(())
    }

    /// The number of a task that it has, of which it says the lower half.
    fn number_of(&self, half: u32) -> u64 {
        let first = self.flight.front().map_or(self.next, |flying| flying.number);
        first + u64::from(half.wrapping_sub(first as u32))
    }

    /// Where a task is: its job's position, the job, and how many of that are before it.
    fn find(&self, number: u64) -> Option<(usize, &Job, usize)> {
        // It is the first one, unless a long answer has been overtaken by short ones.
        let at = self.flight.iter().position(|flying| number < flying.end())?;
        let Flying { number: first, job } = &self.flight[at];
        Some((at, job, usize::try_from(number.checked_sub(*first)?).ok()?))
    }

    /// So many tasks, all of one job, have ended.
    fn ends(&mut self, number: u64, count: usize, content: Content, deliveries: &mut Deliveries) -> Result<(), End> {
        let (mut at, _, before) = self.find(number).ok_or_else(not_given)?;
        if before > 0 {
            let rest = Flying { number, job: self.flight[at].job.split_off(before) };
            at += 1;
            self.flight.insert(at, rest);
        }
        let Flying { number, job } = &mut self.flight[at];
        let content = match content {
            Content::Failed(error) => Content::Failed(error.in_entry(job.bundle.entry.name())),
            content => content,
        };
        deliveries.push(job.end_with(count, content));
        *number += count as u64;
        if job.len() == 0 {
            self.flight.remove(at);
        }
        self.open -= count;
        self.answered += count as u64;
        Ok(())
    }
}

fn damaged() -> End {
    End::Garbage("the memory that it shares with the pool is damaged".into())
}

/// What a worker says that answers a task twice, or one that it does not have.
fn not_given() -> End {
    End::Garbage("it answered a task that it was not given, or has answered".into())
}
