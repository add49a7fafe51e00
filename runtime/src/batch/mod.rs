//! Batches: calls in files, which a scheduler's jobs run whenever they come to it, and whose results wait for whoever asks.
//!
//! # How it works
//! All that processes share is a directory (`folder` says what is in it). `Batch::create` writes the calls into one file. To submit
//! is to write down which tasks are meant, and to have a scheduler start an array of commands: the same program, which a variable
//! in its environment makes an *element* (`element`) before the body of `main`. An element runs the tasks that are its own, each in a
//! child process, and writes each answer into a file of its own. Nobody need be there meanwhile.
//!
//! # What keeps it honest
//! - An answer is written beside its place, and then given its name, if nobody has before: it is whole, and the first one counts.
//! - A task is begun by creating a file exclusively (`presence`). So however often a scheduler starts an element, or forgets that it has,
//!   an attempt is run by one process.
//! - Nothing is believed of a scheduler but that it starts what it is given, or does not. What is missing is found by what is not
//!   there: an answer; a claim; a sign of life of who has claimed. Schedulers acknowledge what they have not written down yet, and
//!   use the numbers of jobs again, so these are for people only; a queue is asked by a name that nobody else has.
//! - What was claimed and never answered may have run, so it is lost, and begins again only if its entry says
//!   `on_loss = retry(n)`, or somebody resubmits it.
//! - Bytes in files are input: what is not whole, or is of another build or another batch, is an error.

mod calls;
mod element;
mod folder;
mod presence;
mod results;
mod scheduler;
mod survey;
mod texts;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::time::{Duration, Instant};

use calls::Calls;
pub(crate) use element::enter as enter_element;
use folder::{Folder, numbered, write_frame, write_once};
use presence::{ElementId, Life};
pub use results::Results;
use scheduler::Order;
pub use scheduler::Scheduler;
use survey::{Elements, State, Submission, Surveyor};

use crate::error::Error;
use crate::handle::{self, Call};
use crate::link::Outbox;
use crate::portable::SpawnSafe;
use crate::wire::batch::{Assigned, SubmissionHead};
use crate::wire::{Kind, Packed};

#[doc = include_str!("../docs/batch.md")]
pub struct Batch<R> {
    folder: Folder,
    calls: Calls,
    surveyor: Surveyor,
    results: PhantomData<fn() -> R>,
}

/// How far a [`Batch`] is, in numbers of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// All of them.
    pub tasks: usize,
    /// Those that have a value.
    pub done: usize,
    /// Those that have ended with an error.
    pub failed: usize,
    /// Those that have begun, and whose process has vanished. They do not run again by themselves.
    pub lost: usize,
    /// Those that run.
    pub running: usize,
    /// Those that have not begun, or may begin again: they are in the scheduler's queue, or were never submitted, or the scheduler
    /// has lost them. [`Batch::submit`] hands over those that it does not have.
    pub waiting: usize,
    /// Why a process of the last submission could not begin, if one could not.
    pub refused: Option<String>,
}

/// What [`Batch::submit`] has handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submitted {
    /// How many tasks.
    pub tasks: usize,
    /// How many elements the array has; no array if there are none.
    pub elements: usize,
    /// The name of the job, which no other has: `squeue --name`, `scancel --name`.
    pub name: String,
    /// What the scheduler's command has said: for `sbatch` the number of the job, which is for people only.
    pub said: String,
}

impl Status {
    /// Whether nothing is to be expected any more: each task has ended, or was lost and does not run again.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.running == 0 && self.waiting == 0
    }

    fn of(states: &[State]) -> Self {
        let mut status = Self { tasks: states.len(), ..Self::default() };
        for state in states {
            *match state {
                State::Done => &mut status.done,
                State::Failed => &mut status.failed,
                State::Lost(_) => &mut status.lost,
                State::Running => &mut status.running,
                State::Waiting { .. } => &mut status.waiting,
            } += 1;
        }
        status
    }
}

/// `7 of 10 tasks done, 1 failed, 0 lost, 2 running, 0 waiting`
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, done, failed, lost, running, waiting, refused } = self;
        write!(f, "{done} of {tasks} tasks done, {failed} failed, {lost} lost, {running} running, {waiting} waiting")?;
        refused.as_ref().map_or(Ok(()), |refused| write!(f, "; one process could not begin: {refused}"))
    }
}

/// Which tasks are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// Those that nobody has.
    Missing,
    /// All without an answer that do not run.
    Unanswered,
}

impl<R: SpawnSafe> Batch<R> {
    /// Writes calls into a new directory, or an empty one, which all nodes must see. Nothing is started. The inherited statics that
    /// the tasks will see are those of this moment.
    ///
    /// ```no_run
    /// use spawnsafe::{Batch, Scheduler, child_entry};
    ///
    /// #[child_entry]
    /// fn simulate(seed: u64) -> f64 { seed as f64 / 2.0 }
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let batch = Batch::create("/shared/run-42", (0..1000).map(simulate::call))?;
    /// batch.submit(&Scheduler::slurm(["--time=10:00"]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`System`](crate::ErrorKind::System) if there is something in the directory, or it cannot be written, say because the disk is full;
    /// [`Encode`](crate::ErrorKind::Encode) if an argument or an inherited static cannot be packed, or has an open handle in it;
    /// [`Spawn`](crate::ErrorKind::Spawn) if something was set on a call that is about its process;
    /// [`NoProcessMain`](crate::ErrorKind::NoProcessMain). What was written is removed.
    pub fn create(dir: impl AsRef<Path>, calls: impl IntoIterator<Item = Call<R>>) -> Result<Self, Error> {
        handle::may_start()?;
        let folder = Folder::new(dir.as_ref()).map_err(|error| texts::not_written(dir.as_ref(), error))?;
        let made = folder.make().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => texts::there_already(folder.root()),
            _ => texts::not_written(folder.root(), error),
        })?;
        calls::write(&folder.calls(), std::any::type_name::<R>(), calls.into_iter())?;
        made.keep();
        Self::open(dir)
    }

    /// A batch that was created before, by this program or another process of the same build.
    ///
    /// ```no_run
    /// use spawnsafe::Batch;
    ///
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// let batch = Batch::<f64>::open("/shared/run-42")?;
    /// println!("{}", batch.status()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`System`](crate::ErrorKind::System) if there is none; [`BuildMismatch`](crate::ErrorKind::BuildMismatch) if another build has
    /// created it; [`Decode`](crate::ErrorKind::Decode) if its results are of another type;
    /// [`Protocol`](crate::ErrorKind::Protocol) if its file is damaged.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = Folder::new(dir.as_ref()).map_err(|error| texts::not_read(dir.as_ref(), error))?;
        let calls = Calls::open(&folder.calls())?;
        let asked = std::any::type_name::<R>();
        if calls.result() != asked {
            return Err(texts::another_type(folder.root(), calls.result(), asked));
        }
        Ok(Self { folder, calls, surveyor: Surveyor::default(), results: PhantomData })
    }

    /// Hands all tasks to the scheduler that have no answer, do not run, and that it does not have already: all at first, and later
    /// what it has lost. Nothing if there are none, so that it may be called as often as one likes. This process may end
    /// afterwards.
    ///
    /// ```no_run
    /// # use spawnsafe::{Batch, Scheduler};
    /// # use std::time::Duration;
    /// # #[spawnsafe::process_main]
    /// # fn main() -> Result<(), spawnsafe::Error> {
    /// # let batch = Batch::<f64>::open("/shared/run-42")?;
    /// let scheduler = Scheduler::from_env()?;
    /// batch.submit(&scheduler)?;
    /// while !batch.wait(Duration::from_secs(300))?.is_finished() {
    ///     batch.submit(&scheduler)?; // what was lost meanwhile
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// A task that was lost is among them if its entry may run again, `#[child_entry(on_loss = retry(n))]`.
    ///
    /// # Errors
    /// [`Spawn`](crate::ErrorKind::Spawn) if the scheduler's command cannot be started, or has failed, or its queue cannot be asked:
    /// then nothing is submitted; [`System`](crate::ErrorKind::System) if a file cannot be read or written.
    pub fn submit(&self, scheduler: &Scheduler) -> Result<Submitted, Error> {
        self.hand_over(scheduler, Which::Missing)
    }

    /// Hands all tasks to the scheduler that have no answer and do not run, whatever their entries say of it: those that were lost as
    /// well, though they may have run, and those that a queue may still have. Where that comes to them later it finds
    /// nothing to do. A task with an answer is never run again.
    ///
    /// # Errors
    /// As [`submit`](Batch::submit).
    pub fn resubmit(&self, scheduler: &Scheduler) -> Result<Submitted, Error> {
        self.hand_over(scheduler, Which::Unanswered)
    }

    /// How far it is. Reads what has changed in the directory.
    ///
    /// # Errors
    /// [`System`](crate::ErrorKind::System) if the directory cannot be read.
    pub fn status(&self) -> Result<Status, Error> {
        self.look().map(|(status, _)| status)
    }

    fn look(&self) -> Result<(Status, Option<Error>), Error> {
        let mut status = Status::of(&self.states()?);
        let refusal = survey::refusal(&self.folder).map_err(|error| self.not_read(error))?;
        status.refused = refusal.as_ref().map(ToString::to_string);
        Ok((status, refusal))
    }

    /// Waits until all tasks have ended, or were lost and do not run again, for at most this long. Looks into the directory every few
    /// seconds.
    ///
    /// # Errors
    /// As [`status`](Batch::status); and if no task runs and some wait, the error of a process that could not begin, say
    /// [`BuildMismatch`](crate::ErrorKind::BuildMismatch).
    pub fn wait(&self, limit: Duration) -> Result<Status, Error> {
        let start = Instant::now();
        loop {
            let (status, refusal) = self.look()?;
            if status.is_finished() {
                return Ok(status);
            }
            if let (Some(error), 0) = (refusal, status.running) {
                return Err(texts::refused(&error));
            }
            let Some(left) = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                return Ok(status);
            };
            // The longer it takes the less it matters.
            let pause = (start.elapsed() / 10).clamp(Duration::from_millis(10), Duration::from_secs(5));
            std::thread::sleep(pause.min(left));
        }
    }

    /// The results that are there, in the order of the calls, each with its number. An error of a task is in its place, and so is
    /// [`Lost`](crate::ErrorKind::Lost) for one that does not run again. What runs or waits is left out. They are read while
    /// they are asked for.
    ///
    /// # Errors
    /// As [`status`](Batch::status).
    pub fn results(&self) -> Result<Results<'_, R>, Error> {
        Ok(Results::new(&self.folder, &self.calls, self.states()?))
    }

    /// The path of its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.root()
    }

    /// How many tasks it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len() as usize
    }

    /// Whether it has no tasks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.len() == 0
    }

    fn states(&self) -> Result<Vec<State>, Error> {
        self.surveyor.survey(&self.folder, &self.calls)
    }

    fn not_read(&self, error: io::Error) -> Error {
        texts::not_read(self.folder.root(), error)
    }

    fn name(&self, submission: u32) -> String {
        name(self.calls.id(), submission)
    }

    fn hand_over(&self, scheduler: &Scheduler, which: Which) -> Result<Submitted, Error> {
        handle::may_start()?;
        let mut missing = HashMap::new();
        for (task, state) in (0..).zip(self.states()?) {
            match state {
                State::Waiting { attempt, lost_by } => _ = missing.insert(task, (attempt, lost_by)),
                State::Lost(loss) if which == Which::Unanswered => {
                    missing.insert(task, (loss.attempt.saturating_add(1), None));
                }
                _ => {}
            }
        }
        for task in self.to_come(scheduler, which, &missing)? {
            missing.remove(&task);
        }
        // An element that has ended meanwhile has left answers.
        for [task] in numbered(&self.folder.answers()).map_err(|error| self.not_read(error))? {
            missing.remove(&task);
        }
        let mut tasks: Vec<Assigned> = missing.into_iter().map(|(task, (attempt, _))| (task, attempt)).collect();
        tasks.sort_unstable();
        if tasks.is_empty() {
            return Ok(Submitted::default());
        }
        let (submission, elements) = self.write_submission(scheduler, &tasks)?;
        let name = self.name(submission);
        // If that fails the files stay, as it may have failed too late.
        let order = Order { folder: &self.folder, batch: self.calls.id(), name: &name, submission, elements };
        let said = scheduler.start(&order)?;
        Ok(Submitted { tasks: tasks.len(), elements: elements as usize, name, said })
    }

    /// Which of these tasks some element will come to, that runs or is in a queue.
    fn to_come(
        &self,
        scheduler: &Scheduler,
        which: Which,
        missing: &HashMap<u32, (u32, Option<ElementId>)>,
    ) -> Result<HashSet<u32>, Error> {
        let submissions = survey::submissions(&self.folder, self.calls.id()).map_err(|error| self.not_read(error))?;
        let lives = Elements::look(&self.folder).map_err(|error| self.not_read(error))?;
        let mut to_come = HashSet::new();
        // Those that have not begun, or have vanished and may be started again.
        let mut open: Vec<(u32, u32, bool, Vec<u32>)> = Vec::new();
        for Submission { number, head, tasks } in &submissions {
            // Whether this element would run it: if it is told to, or has done so and may again.
            let would_run = |element: u32, &&(task, attempt): &&Assigned| {
                missing.get(&task).is_some_and(|(next, lost_by)| {
                    attempt >= *next || lost_by.is_some_and(|id| (id.submission, id.element) == (*number, element))
                })
            };
            for element in 0..head.elements {
                let own = tasks.iter().skip(element as usize).step_by(head.elements as usize);
                let own: Vec<u32> = own.filter(|task| would_run(element, task)).map(|&(task, _)| task).collect();
                if own.is_empty() {
                    continue;
                }
                match lives.life(&self.folder, *number, element).map_err(|error| self.not_read(error))? {
                    Some(Life::Alive) => to_come.extend(own),
                    Some(Life::Ended) => {}
                    Some(Life::Silent) => open.push((*number, element + head.first, true, own)),
                    None => open.push((*number, element + head.first, false, own)),
                }
            }
        }
        if which == Which::Missing && !open.is_empty() {
            let mut asked: Vec<u32> = open.iter().map(|(number, ..)| *number).collect();
            asked.dedup();
            let names: Vec<_> = asked.into_iter().map(|number| (number, self.name(number))).collect();
            let queued = scheduler.queued(&self.folder, &names)?;
            for (number, element, has_begun, own) in open {
                if queued.has(number, element, has_begun) {
                    to_come.extend(own);
                }
            }
        }
        Ok(to_come)
    }

    /// Writes down which tasks are meant. Gives the number of the submission, and how many elements it has.
    fn write_submission(&self, scheduler: &Scheduler, tasks: &[Assigned]) -> Result<(u32, u32), Error> {
        let head = SubmissionHead {
            batch: self.calls.id(),
            elements: scheduler.elements_for(tasks.len()),
            first: scheduler.first(),
            silence: u64::try_from(scheduler.silence().as_millis()).unwrap_or(u64::MAX),
        };
        let frame = || Outbox::new(Kind::Tasks, &head.encode(tasks), Packed::default());
        let write =
            |number: u32| write_once(&self.folder.submission(number, ""), |file| write_frame(file, frame()).map(drop));
        let numbers: Vec<[u32; 1]> = numbered(&self.folder.submissions()).map_err(|error| self.not_read(error))?;
        let next = |last: u32| {
            last.checked_add(1)
                .ok_or_else(|| texts::damaged(&self.folder.submissions(), "no number is left for another submission"))
        };
        let mut number = numbers.into_iter().max().map_or(Ok(1), |[last]| next(last))?;
        loop {
            match write(number) {
                Ok(true) => return Ok((number, head.elements)),
                // Somebody else submits at the same time.
                Ok(false) => number = next(number)?,
                Err(error) => return Err(texts::not_written(self.folder.root(), error)),
            }
        }
    }
}

/// The name of a submission's array. Torque, and PBS in its older versions, take fifteen signs, and Grid Engine none that begins with
/// a digit: so it is a letter first, and six digits to the base of 36 of the batch's number. The first thousand
/// submissions fit.
fn name(batch: u64, submission: u32) -> String {
    let digit = |place: u32| char::from_digit((batch / 36_u64.pow(place) % 36) as u32, 36).unwrap_or('0');
    let batch: String = (0..6).map(digit).collect();
    format!("spawn{batch}-{submission}")
}

impl<R> fmt::Debug for Batch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("path", &self.folder.root())
            .field("tasks", &self.calls.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_what_every_scheduler_takes() {
        assert_eq!(super::name(0, 1), "spawn000000-1");
        for batch in [0, 1, 36, u64::MAX, 0x0123_4567_89ab_cdef] {
            let name = super::name(batch, 999);
            assert_eq!(name.len(), 15);
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        }
        assert_ne!(super::name(1, 1), super::name(2, 1));
        assert_ne!(super::name(1, 1), super::name(1, 2));
    }
}
