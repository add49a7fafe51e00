//! The end of a worker: what becomes of its tasks, and what those are told.

use std::io;
use std::time::Instant;

use super::{Driver, End, Flying};
use crate::error::{Error, ErrorKind};
use crate::handle;
use crate::pool::job::Job;
use crate::pool::letters::Deliveries;
use crate::pool::texts;
use crate::sys::Ended;

impl Driver {
    /// After the end: what becomes of each open task. Gives those that another worker is to run.
    pub(in crate::pool) fn settle(&mut self, end: &End, ended: Option<Ended>, deliveries: &mut Deliveries) -> Vec<Job> {
        let running = match end {
            End::Stuck => None,
            _ => self.running(),
        };
        let mut again = Vec::new();
        for Flying { number, mut job } in std::mem::take(&mut self.flight) {
            if let End::Dismissed(error) = end {
                job.fail(|| error.copy(), deliveries);
                continue;
            }
            if Some(number) != running {
                if matches!(end, End::Unsendable(_)) && !job.attachments.is_empty() {
                    // Another worker could not be sent it either.
                    let error = self.error(end, ended);
                    job.fail(|| error.copy(), deliveries);
                    continue;
                }
                again.push(job);
                continue;
            }
            let behind = (job.len() > 1).then(|| job.split_off(1));
            if job.retries > 0 && matches!(end, End::Process(_)) && self.last_words.is_none() {
                job.retries -= 1;
                again.push(job);
            } else {
                let error = self.error(end, ended);
                deliveries.push(job.end_with_error(error));
            }
            again.extend(behind);
        }
        self.open = 0;
        again
    }

    /// Why the task that was running has no answer, or the worker did not begin.
    pub(in crate::pool) fn error(&mut self, end: &End, ended: Option<Ended>) -> Error {
        let error = match end {
            End::Process(ended) => match self.last_words.take() {
                Some(last_words) => last_words,
                None => handle::without_answer(self.id, *ended, self.is_partial),
            },
            End::Garbage(why) => texts::garbage(self.id, why),
            End::LostConnection => texts::lost_connection(self.id),
            End::TimedOut(timeout) => texts::timed_out(self.id, *timeout),
            End::Cancelled => texts::cancelled(Some(self.id)),
            End::Stuck => Error::new(ErrorKind::TimedOut, "its worker was stopped and did not run"),
            End::Unsendable(error) => handle::not_sent(copy(error)),
            End::Unwatchable(error) => texts::cannot_watch(copy(error)),
            End::Unfit(error) | End::Dismissed(error) => error.copy(),
        };
        match ended {
            Some(Ended::With(status)) => error.with_status(status),
            _ => error,
        }
    }

    /// Kills the process if it lives, reaps it, and takes what it had still said.
    pub(in crate::pool) fn finish(&mut self, deliveries: &mut Deliveries) -> Option<Ended> {
        let ended = loop {
            match self.peer.try_wait() {
                Ok(Some(ended)) => break Some(ended),
                Ok(None) => {}
                Err(_) => break None,
            }
            // If the system refuses, it is waited for all the same.
            let _ = self.peer.kill();
            if self.peer.wait(None, None).is_err() {
                break None;
            }
        };
        while matches!(self.read(deliveries), Ok(true)) {}
        let _ = self.drain(deliveries);
        ended
    }

    /// It has closed its connection: most likely because it ends. Gives how, if it does so soon.
    pub(in crate::pool) fn ends_soon(&mut self, until: Instant) -> Option<Ended> {
        loop {
            match self.peer.try_wait() {
                Ok(None) if Instant::now() < until => self.peer.wait(None, Some(until)).ok()?,
                Ok(ended) => return ended,
                Err(_) => return None,
            };
        }
    }

    /// Lets it end by itself: there is nothing left for it to do.
    pub(in crate::pool) fn dismiss(&mut self, until: Instant) {
        self.peer.hang_up();
        self.ends_soon(until);
    }
}

/// A system's error is not for copying; what it says and its number are.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}
