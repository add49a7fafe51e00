//! The end of a node: what becomes of its tasks, and what is said of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::texts;
use super::Node;
use crate::error::Error;
use crate::pool::letters::Deliveries;
use crate::pool::texts as pool_texts;
use crate::wire::NodeKind;

/// A node that was there for so long was of use, whatever ended it.
const USEFUL: Duration = Duration::from_secs(10);

/// How long a node may take to end when everything is done.
const GRACE: Duration = Duration::from_secs(10);

/// How long a command whose output has ended may take to end, so that its status can be told.
const SOON: Duration = Duration::from_secs(1);

/// Why a node is not there any more.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) was_useful: bool,
    /// It would fail again.
    pub(super) is_final: bool,
}

/// Why nothing more is to be expected of a node.
pub(super) enum End {
    /// It is gone.
    Lost(String),
    /// It has said that it cannot work.
    Unfit(Error),
    /// It was not heard of before its hello.
    Late(Duration),
    /// The pool ends.
    Dismissed(Error),
    /// There is nothing left to do.
    Done,
}

impl Node<'_> {
    /// Ends the node, and tells its tasks.
    pub(super) fn finish(mut self, end: End) -> Option<Failure> {
        self.common.not_idle(self.seat);
        match &end {
            End::Done if self.credit.is_some() => {
                self.send(NodeKind::Leave, Vec::new());
                self.remote.leave(Instant::now() + GRACE);
            }
            // The workers are gone when it is.
            End::Dismissed(_) if self.credit.is_some() => self.remote.leave(Instant::now() + SOON),
            _ => {}
        }
        let was_useful = self.credit.is_some() && (self.answered > 0 || self.started.elapsed() > USEFUL);
        let failure = self.failure(&end);
        let jobs = self.flight.disembark();
        let unsent = self.remote.stop_writing();
        // It must be gone before its tasks go to another one.
        drop(self.remote);
        self.seat.process.store(0, Ordering::Release);
        self.seat.tasks.store(0, Ordering::Release);
        let why = failure.as_ref().map_or_else(String::new, |(why, _)| why.clone());
        let mut deliveries = Deliveries::new();
        let mut again = Vec::new();
        for (number, mut job) in jobs {
            let is_unfit = matches!(end, End::Unfit(_));
            if let End::Dismissed(error) = &end {
                job.fail(|| error.copy(), &mut deliveries);
            } else if job.bundle.mailbox.is_unwanted() {
                job.fail(|| pool_texts::cancelled(None), &mut deliveries);
            } else if is_unfit || number >= unsent {
                // It answers all that has run before it says so; and does not run what it has never heard of.
                again.push(job);
            } else if job.retries > 0 {
                job.retries -= 1;
                again.push(job);
            } else {
                let attempt = self.common.attempt(&job);
                job.fail(|| texts::lost(&self.name, attempt, &why), &mut deliveries);
            }
        }
        self.common.give_back(again);
        self.common.deliver(deliveries);
        // Workers that cannot begin were tried as often as those of this machine are.
        let is_final = matches!(end, End::Unfit(_)) && self.answered == 0;
        failure.map(|(_, error)| Failure { is_final, error, was_useful })
    }

    /// What to say of the end of the node: to its tasks, and if it is not started again.
    fn failure(&mut self, end: &End) -> Option<(String, Error)> {
        let has_said_hello = self.credit.is_some();
        match end {
            End::Done | End::Dismissed(_) => None,
            End::Unfit(error) => Some((error.to_string(), texts::unfit(&self.name, error))),
            End::Late(limit) => Some((String::new(), texts::hello_too_late(&self.name, *limit))),
            End::Lost(why) => {
                let soon = Instant::now() + SOON;
                while (why.is_empty() || !has_said_hello) && !self.remote.is_over() && Instant::now() < soon {
                    std::thread::sleep(Duration::from_millis(2));
                }
                let status = self.remote.status().map(|status| format!("its command ended ({status})"));
                let complaints = Some(self.remote.complaints()).filter(|said| !said.is_empty());
                let why = Some(why.clone()).filter(|why| !why.is_empty());
                let parts: Vec<String> = [why, status, complaints].into_iter().flatten().collect();
                let why = parts.join("; ");
                let error = match has_said_hello {
                    true => Error::new(crate::ErrorKind::Lost, format!("{} was lost: {why}", self.name)),
                    false => texts::no_hello(&self.name, self.remote.command(), &why),
                };
                Some((why, error))
            }
        }
    }
}
