//! The short way for one task: whoever submits it writes it to a worker that has nothing to do, and whoever joins it reads
//! the answer.
//!
//! A single task is mostly waiting for other threads to wake up. On the usual way there are four wake-ups: of the thread
//! of the worker, of the worker, of the thread again, and of the one that joins. On this one there are two. While it is
//! used the thread of the worker does not look at the connection, as it would be woken in vain, but it does look every few
//! milliseconds: an answer that nobody has come for waits no longer than that.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::common::{Common, Seat};
use super::driver::Driver;
use super::job::Job;
use super::letters::Deliveries;
use super::mailbox::{Mailbox, Until};
use crate::error::Error;
use crate::sys;

/// For how long somebody who joins looks at the connection. A longer task is for the thread of the worker to wait for, and
/// may have gone to another worker.
const SLICE: Duration = Duration::from_millis(50);

/// How often it is looked in a row whether there is an answer.
const LOOKS: usize = 16;

pub(super) fn lock(driver: &Mutex<Driver>) -> MutexGuard<'_, Driver> {
    driver.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Common {
    /// Takes one task. Gives the seat of the worker that has it already, if one had nothing to do.
    pub(super) fn submit_one(&self, job: Job) -> Result<Option<Arc<Seat>>, Error> {
        let mut jobs = vec![job];
        let Some(seat) = self.admit_one(&mut jobs)? else { return Ok(None) };
        if let Some(driver) = seat.worker() {
            let mut driver = lock(&driver);
            let is_timed = jobs[0].bundle.timeout.is_some();
            if driver.is_free(self.settings.max_tasks_per_worker) && driver.give(&mut jobs) {
                seat.tasks.store(driver.open(), Ordering::Release);
                if is_timed || driver.is_writing() {
                    // Somebody must look at the clock, or write the rest when the connection takes it: nobody need join.
                    seat.waker.wake();
                }
                drop(driver);
                return Ok(Some(seat));
            }
        }
        self.give_back(jobs);
        seat.waker.wake();
        Ok(None)
    }

    /// Waits for a while for the answer of a task that was given to this worker directly. Meanwhile its thread leaves the
    /// connection alone: an answer that one takes while the other begins to wait for it would not be noticed.
    pub(super) fn attend(&self, seat: &Seat, mailbox: &Mailbox, until: Until) {
        let until = match until {
            Until::Now => return,
            Until::Time(time) => Some(time),
            Until::Ever => None,
        };
        let Some(driver) = seat.worker() else { return };
        if !lock(&driver).set_attended(true) {
            return;
        }
        let slice = Instant::now() + SLICE;
        let until = until.map_or(slice, |until| until.min(slice));
        while !mailbox.has_some() && until > Instant::now() {
            let ((watch, stream), interest) = {
                let driver = lock(&driver);
                (driver.peer.ends(), driver.interest())
            };
            let stream = stream.as_deref().map(|stream| (stream, interest));
            if sys::wait_or_wake(&watch, stream, None, Some(until)).is_err() || !self.look(seat, &driver) {
                break;
            }
        }
        let mut driver = lock(&driver);
        driver.set_attended(false);
        if driver.open() > 0 {
            // From now on it is for the thread to look.
            seat.waker.wake();
        }
    }

    /// Takes the answers that are there. `false` if the worker is of no use any more.
    fn look(&self, seat: &Seat, driver: &Mutex<Driver>) -> bool {
        let mut driver = lock(driver);
        let mut deliveries = Deliveries::new();
        let mut turned = driver.turn(&mut deliveries, false);
        for _ in 0..LOOKS {
            if deliveries.is_empty() && matches!(turned, Ok(true)) {
                // There may be an answer of which it has told.
                turned = driver.turn(&mut deliveries, false);
            }
        }
        let open = driver.open();
        seat.tasks.store(open, Ordering::Release);
        let is_fit = match turned {
            Ok(_) => true,
            Err(end) => {
                driver.note(end);
                seat.waker.wake();
                false
            }
        };
        let heard = driver.take_heard();
        drop(driver);
        self.listener.told_of(|| heard.tell());
        if is_fit && open == 0 && !deliveries.is_empty() {
            seat.attend();
            self.rest(seat);
        } else if !deliveries.is_empty() {
            // It may be given more.
            seat.waker.wake();
        }
        self.deliver(deliveries);
        is_fit
    }
}
