//! How far a batch is, as its files tell.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::calls::Calls;
use super::folder::{Folder, numbered, read_frame_of};
use super::presence::{self, About, ElementId, Holder, Life, SILENCE};
use super::texts;
use crate::error::Error;
use crate::handle;
use crate::wire::batch::{Assigned, SubmissionHead};
use crate::wire::{HEADER_LEN, Header, Kind};

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has a value.
    Done,
    /// It has an answer that is none.
    Failed,
    Running,
    /// It has begun this many times, and may not again.
    Lost(Loss),
    /// It has not begun, or may again: then an element has lost it that would run it once more if it were started again.
    Waiting {
        attempt: u32,
        lost_by: Option<ElementId>,
    },
}

/// What is known of a task that has begun and will not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) attempt: u32,
    /// The element that had it.
    pub(super) holder: Option<ElementId>,
    pub(super) node: String,
    /// How long nothing was heard of it; `None` if it has said that it ends.
    pub(super) silence: Option<Duration>,
}

impl Loss {
    pub(super) fn error(&self, task: u32) -> Error {
        texts::lost(task, &self.node, self.attempt, self.silence)
    }
}

/// What was submitted at once.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) number: u32,
    pub(super) head: SubmissionHead,
    pub(super) tasks: Vec<Assigned>,
}

/// Looks at a batch again and again, and remembers what cannot change.
#[derive(Debug, Default)]
pub(super) struct Surveyor {
    /// By the numbers of tasks that have an answer, whether that is a value.
    answered: Mutex<HashMap<u32, bool>>,
    submitted: Mutex<Attempts>,
}

/// The last attempt of each task that was submitted.
#[derive(Debug, Default)]
struct Attempts {
    /// The submissions that were read.
    read: HashSet<u32>,
    last: HashMap<u32, u32>,
}

impl Surveyor {
    /// The states of all tasks.
    pub(super) fn survey(&self, folder: &Folder, calls: &Calls) -> Result<Vec<State>, Error> {
        let unread = |error| texts::not_read(folder.root(), error);
        // Claims first: who has one then may have an answer meanwhile, and none is forgotten.
        let mut claims: HashMap<u32, u32> = HashMap::new();
        for [task, attempt] in numbered(&folder.claims()).map_err(unread)? {
            let last = claims.entry(task).or_insert(attempt);
            *last = attempt.max(*last);
        }
        let mut states = vec![State::Waiting { attempt: 1, lost_by: None }; calls.len() as usize];
        for (task, is_value) in self.answered(folder).map_err(unread)? {
            claims.remove(&task);
            if let Some(state) = states.get_mut(task as usize) {
                *state = if is_value { State::Done } else { State::Failed };
            }
        }
        if claims.is_empty() {
            return Ok(states);
        }
        let mut lives = Lives { folder, now: folder.now(), known: HashMap::new() };
        let mut attempts = None;
        for (task, attempt) in claims {
            let Some(state) = states.get_mut(task as usize) else { continue };
            let Some(loss) = lives.loss(task, attempt).map_err(unread)? else {
                *state = State::Running;
                continue;
            };
            // It may have been answered after the answers were counted, by an element that has ended since.
            if let Some(is_value) = has_value(&folder.answer(task)).map_err(unread)? {
                *state = if is_value { State::Done } else { State::Failed };
                continue;
            }
            let next = attempt.saturating_add(1);
            *state = if attempt <= calls.retries(task)? {
                State::Waiting { attempt: next, lost_by: loss.holder }
            } else {
                let attempts = match &attempts {
                    Some(attempts) => attempts,
                    None => attempts.insert(self.attempts(folder, calls.id()).map_err(unread)?),
                };
                match attempts.last.get(&task) {
                    Some(&last) if last > attempt => State::Waiting { attempt: next, lost_by: None },
                    _ => State::Lost(loss),
                }
            };
        }
        Ok(states)
    }

    /// What was submitted: somebody may have asked for more attempts than an entry allows.
    fn attempts(&self, folder: &Folder, batch: u64) -> io::Result<MutexGuard<'_, Attempts>> {
        let mut attempts = self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        for [number] in numbered(&folder.submissions())? {
            if attempts.read.contains(&number) {
                continue;
            }
            let Some(Submission { tasks, .. }) = submission(folder, batch, number) else { continue };
            attempts.read.insert(number);
            for (task, attempt) in tasks {
                let last = attempts.last.entry(task).or_insert(attempt);
                *last = attempt.max(*last);
            }
        }
        Ok(attempts)
    }

    /// The tasks that have answers, and whether those are values. An answer that was removed is none any more.
    fn answered(&self, folder: &Folder) -> io::Result<HashMap<u32, bool>> {
        let mut known = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answered = HashMap::with_capacity(known.len());
        for [task] in numbered(&folder.answers())? {
            match known.get(&task) {
                Some(&is_value) => _ = answered.insert(task, is_value),
                None => answered.extend(has_value(&folder.answer(task))?.map(|is_value| (task, is_value))),
            }
        }
        known.clone_from(&answered);
        Ok(answered)
    }
}

/// Whether an answer is a value, by its first bytes. What is damaged is an error of its task. `None` if there is none.
fn has_value(path: &Path) -> io::Result<Option<bool>> {
    let mut bytes = [0; HEADER_LEN];
    match File::open(path).and_then(|mut file| file.read_exact(&mut bytes)) {
        Ok(()) => Ok(Some(Header::decode(&bytes).is_ok_and(|header| header.kind == Kind::Value))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who is alive at one moment.
struct Lives<'a> {
    folder: &'a Folder,
    now: SystemTime,
    known: HashMap<ElementId, Option<(About, Life)>>,
}

impl Lives<'_> {
    fn of(&mut self, id: ElementId) -> io::Result<&Option<(About, Life)>> {
        if !self.known.contains_key(&id) {
            let life = presence::look(self.folder, id, self.now)?;
            self.known.insert(id, life);
        }
        Ok(&self.known[&id])
    }

    /// `None` if the task runs.
    fn loss(&mut self, task: u32, attempt: u32) -> io::Result<Option<Loss>> {
        let nobody = |silence| Loss { attempt, holder: None, node: String::new(), silence };
        let id = match presence::holder(self.folder, task, attempt, self.now)? {
            Some(Holder::Known(id)) => id,
            Some(Holder::Unknown(age)) if age <= SILENCE => return Ok(None),
            Some(Holder::Unknown(_)) => return Ok(Some(nobody(Some(SILENCE)))),
            // It was taken back this moment.
            None => return Ok(None),
        };
        Ok(match self.of(id)? {
            Some((_, Life::Alive)) => None,
            Some((about, life)) => Some(Loss {
                attempt,
                holder: Some(id),
                node: about.node.clone(),
                silence: (*life == Life::Silent).then_some(about.silence),
            }),
            None => Some(Loss { holder: Some(id), ..nobody(None) }),
        })
    }
}

/// All that was submitted, in order. What cannot be read is nothing that could run.
pub(super) fn submissions(folder: &Folder, batch: u64) -> io::Result<Vec<Submission>> {
    let mut numbers = numbered(&folder.submissions())?;
    numbers.sort_unstable();
    Ok(numbers.into_iter().filter_map(|[number]| submission(folder, batch, number)).collect())
}

fn submission(folder: &Folder, batch: u64, number: u32) -> Option<Submission> {
    let frame = read_frame_of(&folder.submission(number, "")).ok()??;
    let (head, tasks) = SubmissionHead::decode(&frame.items).filter(|_| frame.kind == Kind::Tasks)?;
    (head.batch == batch).then_some(Submission { number, head, tasks })
}

/// Why an element of the last submission could not begin, if one could not.
pub(super) fn refusal(folder: &Folder) -> io::Result<Option<Error>> {
    let Some([last]) = numbered::<1>(&folder.submissions())?.into_iter().max() else { return Ok(None) };
    let frame = read_frame_of(&folder.submission(last, ".refused")).ok().flatten();
    Ok(frame.filter(|frame| frame.kind == Kind::Failure).map(|frame| handle::failure(&frame.items, frame.blobs)))
}

/// The last process that was each element.
pub(super) struct Elements {
    now: SystemTime,
    last: BTreeMap<(u32, u32), u32>,
}

impl Elements {
    pub(super) fn look(folder: &Folder) -> io::Result<Self> {
        let mut last = BTreeMap::new();
        for [submission, element, incarnation] in numbered(&folder.elements())? {
            let known = last.entry((submission, element)).or_insert(incarnation);
            *known = incarnation.max(*known);
        }
        Ok(Self { now: folder.now(), last })
    }

    /// `None` if it has not begun.
    pub(super) fn life(&self, folder: &Folder, submission: u32, element: u32) -> io::Result<Option<Life>> {
        let Some(&incarnation) = self.last.get(&(submission, element)) else { return Ok(None) };
        let id = ElementId { submission, element, incarnation };
        Ok(presence::look(folder, id, self.now)?.map(|(_, life)| life))
    }
}
