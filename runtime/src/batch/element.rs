//! Being an element of a batch's array: running the tasks that are its own, each in a child process, and writing their answers.
//!
//! No code of the user's runs in this process, apart from what constructors do. Whatever a task does to itself is its answer,
//! as the parent of a child sees it; whatever ends this process leaves claims without answers, which is what tells that it was lost.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::calls::Calls;
use super::folder::{Folder, read_frame_of, soon, write_frame, write_once, write_over};
use super::presence::{self, About, ElementId, Holder, Life, Presence};
use super::texts;
use crate::child::{self, complain};
use crate::error::{Error, ErrorKind};
use crate::handle;
use crate::launch;
use crate::link::{Frame, Outbox, Piece};
use crate::registry;
use crate::sys::{self, BATCH_VARIABLE};
use crate::wire::batch::{AnswerSource, Assigned, SubmissionHead};
use crate::wire::{Blob, Kind, TOKEN_BEFORE_MAIN, TOKEN_MAIN};

/// The exit status of a process whose variable makes no sense: `EX_USAGE`.
const EXIT_NO_ELEMENT: i32 = 64;

/// The exit status of an element that cannot begin, or go on.
const EXIT_REFUSED: i32 = 70;

/// The exit status of an element one of whose tasks has no value, or whose directory is gone.
const EXIT_FAILED: i32 = 1;

/// By which variable a scheduler tells that it has started an element again.
pub(super) const RESTARTS: [&str; 3] = ["SLURM_RESTART_COUNT", "RESTARTED", "HQ_INSTANCE_ID"];

/// In the place of a number: all elements, in one process.
pub(super) const ALL: &str = "all";

/// How long is waited until an answer is tried to be written once more, and until a death by a signal is an answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The part of `main` that makes the process an element. Returns in all others.
pub(crate) fn enter() {
    child::take_role(BATCH_VARIABLE, serve);
}

// In a test binary `main` belongs to the harness.
sys::before_main!(before_main);

fn before_main() {
    let is_for_here = |value: &OsStr| value.as_encoded_bytes().starts_with(TOKEN_BEFORE_MAIN.as_bytes());
    child::take_role_before_main(BATCH_VARIABLE, is_for_here, serve);
}

/// What the variable says.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    is_before_main: bool,
    batch: u64,
    submission: u32,
    /// As the scheduler numbers them, or what it has said instead; or [`ALL`].
    element: String,
    node: String,
    root: PathBuf,
}

impl Told {
    fn read(value: &OsStr) -> Option<Self> {
        let mut parts = value.as_encoded_bytes().splitn(6, |&byte| byte == b';');
        let mut text = || std::str::from_utf8(parts.next()?).ok();
        let is_before_main = match text()? {
            TOKEN_MAIN => false,
            TOKEN_BEFORE_MAIN => true,
            _ => return None,
        };
        let batch = u64::from_str_radix(text()?, 16).ok()?;
        let submission = text()?.parse().ok()?;
        let element = text()?.to_owned();
        let node = text()?.to_owned();
        let root = PathBuf::from(sys::os_string(parts.next()?));
        root.is_absolute().then_some(Self { is_before_main, batch, submission, element, node, root })
    }
}

fn serve(value: &OsStr) -> ! {
    let told = match Told::read(value) {
        _ if sys::has_raised_privileges() => {
            Err("it runs with raised privileges and does not take orders from its environment")
        }
        Some(told) => Ok(told),
        None => Err("it is malformed"),
    };
    let told = told.unwrap_or_else(|reason| {
        complain(format_args!(
            "the environment variable {BATCH_VARIABLE} is set to {value:?}, which makes this program run tasks of a batch, but \
             {reason}.\nThe variable is for spawnsafe itself: remove it to run the program."
        ));
        exit(EXIT_NO_ELEMENT)
    });
    if !told.is_before_main {
        registry::set_process_main();
    }
    let folder = Folder::new(&told.root).unwrap_or_else(|error| {
        complain(format_args!("the directory of a batch, {:?}, cannot be found: {error}", told.root));
        exit(EXIT_REFUSED)
    });
    let submission = told.submission;
    let calls = Calls::open(&folder.calls()).unwrap_or_else(|error| refuse(&folder, submission, &error));
    if calls.id() != told.batch {
        // Nobody waits for this one, and the other one has nothing to do with it.
        complain(format_args!("an element of a batch ends: there is another batch in {:?} now", told.root));
        exit(EXIT_FAILED)
    }
    let array = Array::open(folder.clone(), calls, told).unwrap_or_else(|error| refuse(&folder, submission, &error));
    match array.run() {
        Ok(true) => exit(0),
        Ok(false) => exit(EXIT_FAILED),
        Err(error) => refuse(&folder, submission, &error),
    }
}

fn thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Error> {
    let thread = std::thread::Builder::new().name(name.into());
    sys::with_signals_blocked(|| thread.spawn(work)).map_err(texts::no_thread)
}

/// Tells whoever waits for the batch why nothing comes from here, and ends.
fn refuse(folder: &Folder, submission: u32, error: &Error) -> ! {
    let mut bytes = Vec::new();
    let packed = child::pack_error(error);
    if write_frame(&mut bytes, Outbox::new(Kind::Failure, &[], packed)).is_ok() {
        // It is in the log as well.
        let _ = write_over(&folder.submission(submission, ".refused"), &bytes);
    }
    complain(format_args!("an element of a batch ends: {error}"));
    exit(EXIT_REFUSED)
}

/// A submission of which this process is an element, or all.
struct Array {
    folder: Folder,
    calls: Calls,
    submission: u32,
    head: SubmissionHead,
    tasks: Vec<Assigned>,
    /// Those that this process is.
    elements: Vec<u32>,
    about: About,
    /// What says that they live.
    presences: Mutex<Vec<(u32, Presence)>>,
}

impl Array {
    fn open(folder: Folder, calls: Calls, told: Told) -> Result<Self, Error> {
        let path = folder.submission(told.submission, "");
        let frame = soon(|| read_frame_of(&path).transpose());
        let frame =
            frame.unwrap_or_else(|| Err("it is not there".into())).map_err(|why| texts::damaged(&path, &why))?;
        let decoded = SubmissionHead::decode(&frame.items).filter(|_| frame.kind == Kind::Tasks);
        let (head, tasks) = decoded.ok_or_else(|| texts::damaged(&path, "it is no submission"))?;
        if calls.id() != head.batch {
            return Err(texts::damaged(&path, "it is of another batch"));
        }
        handle::may_start()?;
        launch::set_arguments(calls.arguments().iter().map(|argument| sys::os_string(argument)).collect());
        let elements = match told.element.as_str() {
            ALL => (0..head.elements).collect(),
            text => {
                let number: u32 = text.parse().map_err(|_| texts::no_number(text))?;
                let element = number.checked_sub(head.first).filter(|&element| element < head.elements);
                vec![element.ok_or_else(|| texts::no_such_element(number, head.first, head.elements))?]
            }
        };
        let about = About {
            batch: calls.id(),
            restarts: restarts(),
            // Whatever somebody has written there, it is no reason to write all the time.
            silence: Duration::from_millis(head.silence.max(100)),
            process: std::process::id(),
            node: told.node,
        };
        let submission = told.submission;
        Ok(Self { folder, calls, submission, head, tasks, elements, about, presences: Mutex::default() })
    }

    /// Runs all, each on a thread of its own. Whether all of their tasks have values.
    ///
    /// # Errors
    /// If one cannot begin, or go on. The others have ended then.
    fn run(self) -> Result<bool, Error> {
        let array = Arc::new(self);
        let pulse = Arc::clone(&array);
        thread("spawnsafe-pulse", move || pulse.beat())?;
        let (first, others) = array.elements.split_first().expect("there is one at least");
        let start = |&element: &u32| {
            let array = Arc::clone(&array);
            thread("spawnsafe-element", move || array.run_element(element))
        };
        let started: Vec<_> = others.iter().map(start).collect();
        let mut ends = vec![array.run_element(*first)];
        // One that has panicked has said so, and has no value.
        ends.extend(started.into_iter().map(|started| started.and_then(|thread| thread.join().unwrap_or(Ok(false)))));
        ends.into_iter().try_fold(true, |all, end| end.map(|has_values| has_values && all))
    }

    fn presences(&self) -> MutexGuard<'_, Vec<(u32, Presence)>> {
        self.presences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says again and again that this process lives.
    fn beat(&self) {
        loop {
            std::thread::sleep(self.about.silence / 4);
            for (_, presence) in self.presences().iter_mut() {
                stay(presence.beat());
            }
        }
    }

    /// Returns if the directory is this batch's still: nothing may be written into another one's.
    fn check(&self, element: u32) {
        for (_, presence) in self.presences().iter().filter(|&&(other, _)| other == element) {
            stay(presence.check());
        }
    }

    /// Whether all of its tasks have values.
    fn run_element(&self, element: u32) -> Result<bool, Error> {
        let id = self.arrive(element).map_err(|error| texts::not_written(self.folder.root(), error))?;
        let mut own = self.tasks.iter().skip(element as usize).step_by(self.head.elements as usize);
        let end = own
            .try_fold(true, |all, &(task, attempt)| self.run_task(id, task, attempt).map(|has_value| has_value && all));
        let mut presences = self.presences();
        if let Some(at) = presences.iter().position(|&(other, _)| other == element) {
            presences.swap_remove(at).1.end();
        }
        end
    }

    /// Becomes the element, when nobody else is it any more.
    fn arrive(&self, element: u32) -> std::io::Result<ElementId> {
        let mut id = ElementId { submission: self.submission, element, incarnation: 1 };
        loop {
            if let Some(presence) = Presence::announce(&self.folder, id, &self.about)? {
                self.presences().push((element, presence));
                return Ok(id);
            }
            // The scheduler has started it before, and knows that it has ended, or has forgotten that it has.
            while let Some((about, Life::Alive)) = presence::look(&self.folder, id, self.folder.now())? {
                if self.about.restarts > about.restarts {
                    if about.batch == self.about.batch {
                        // Nobody else need wait to find that out.
                        presence::has_ended(&self.folder, id, &about);
                    }
                    break;
                }
                std::thread::sleep(self.about.silence / 8);
            }
            id.incarnation += 1;
        }
    }

    /// Runs a task unless somebody else does or has. Whether nothing is known against its having a value.
    ///
    /// # Errors
    /// If it could not begin.
    fn run_task(&self, id: ElementId, task: u32, mut attempt: u32) -> Result<bool, Error> {
        let unwritten = |error| texts::not_written(self.folder.root(), error);
        let retries = self.calls.retries(task)?;
        loop {
            self.check(id.element);
            if self.folder.has_answer(task) {
                return Ok(true);
            }
            if presence::claim(&self.folder, task, attempt, id).map_err(unwritten)? {
                // Somebody who was believed to be lost may have come to the end of an earlier attempt in between.
                if self.folder.has_answer(task) {
                    return Ok(true);
                }
                let answer = match self.calls.call(task).and_then(handle::Stored::run) {
                    Ok(answer) => answer,
                    Err(error) => {
                        presence::release(&self.folder, task, attempt);
                        return Err(error);
                    }
                };
                if matches!(&answer, Err(error) if error.kind() == ErrorKind::Signaled) {
                    // Schedulers that end a job kill its processes one after another. If that is why, this one is next, and
                    // the task is lost with it, which is neither its answer nor an attempt more.
                    std::thread::sleep(PAUSE);
                }
                self.check(id.element);
                match answer {
                    Err(error) if is_loss(&error) && attempt <= retries => {}
                    // This element was believed to be lost, and who has taken its place may have more luck.
                    Err(error) if is_loss(&error) && self.folder.has_begun(task, attempt.saturating_add(1)) => {
                        complain(format_args!("task {task} of a batch, which runs elsewhere as well: {error}"));
                        return Ok(false);
                    }
                    answer => return Ok(self.write(task, attempt, answer)),
                }
            } else {
                let holder = presence::holder(&self.folder, task, attempt, self.folder.now()).map_err(unwritten)?;
                // An earlier process that was this element: then it is over.
                let is_own = |holder| ElementId { incarnation: id.incarnation, ..holder } == id;
                if !matches!(holder, Some(Holder::Known(holder)) if is_own(holder)) {
                    return Ok(true);
                }
                if attempt > retries {
                    return Ok(false);
                }
            }
            attempt = attempt.saturating_add(1);
        }
    }

    /// Writes the answer, unless there is one. Whether it was a value.
    fn write(&self, task: u32, attempt: u32, answer: Result<Frame, Error>) -> bool {
        let node = &self.about.node;
        let source = AnswerSource { batch: self.calls.id(), task, attempt, node };
        let answer = answer.and_then(|frame| match frame.attachments.is_empty() {
            true => Ok(frame),
            false => Err(texts::result_not_carried()),
        });
        let path = self.folder.answer(task);
        let failed = match answer {
            Ok(Frame { items, blobs, .. }) => {
                let (items, head) = (Arc::new(items), source.encode());
                let blobs: Vec<_> = blobs.into_iter().map(|blob| Arc::new(Blob::from(blob))).collect();
                let pieces = || vec![head.clone().into(), Piece::Shared(Arc::clone(&items))];
                match write_answer(&path, || Outbox::of_shared(Kind::Value, pieces(), blobs.clone(), Vec::new())) {
                    Ok(()) => return true,
                    Err(error) => texts::result_not_written(&path, error),
                }
            }
            Err(error) if is_loss(&error) => error.with_note(&texts::worker_lost(node, attempt)),
            Err(error) => error,
        };
        // Short: there may be room for that.
        let written = write_answer(&path, || Outbox::new(Kind::Failure, &source.encode(), child::pack_error(&failed)));
        if let Err(error) = written {
            // It will be found without an answer.
            complain(format_args!(
                "the answer of task {task} of a batch is lost, as {path:?} cannot be written: {error}"
            ));
            complain(format_args!("it was: {failed}"));
        }
        false
    }
}

/// Writes it, once more if that fails.
fn write_answer(path: &Path, frame: impl Fn() -> Outbox) -> std::io::Result<()> {
    let write = || write_once(path, |file| write_frame(file, frame()).map(drop)).map(drop);
    write().or_else(|_| {
        std::thread::sleep(PAUSE);
        write()
    })
}

/// Ends this process if its directory is gone. What else is wrong with that may come back.
fn stay(seen: std::io::Result<()>) {
    if matches!(seen, Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
        complain(format_args!("an element of a batch ends: its directory is gone"));
        exit(EXIT_FAILED)
    }
}

/// How often the scheduler says that it has started this element again: Slurm and HyperQueue count that, Grid Engine says
/// whether it has. All others are waited for until they are silent.
fn restarts() -> u32 {
    let told = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    RESTARTS.into_iter().filter_map(told).max().unwrap_or(0)
}

/// Whether the process of the task has vanished, so that nobody knows how far it came.
fn is_loss(error: &Error) -> bool {
    // The kinds of what a task has answered are others.
    matches!(error.kind(), ErrorKind::Exited | ErrorKind::Signaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read_and_nonsense_is_none() {
        let root = std::env::temp_dir();
        let value = |front: &str| {
            let mut value = std::ffi::OsString::from(front);
            value.push(&root);
            value
        };
        let told = Told::read(&value("main;fe;3;17;n1;")).unwrap();
        assert_eq!((told.batch, told.submission, &*told.element, &*told.node), (0xfe, 3, "17", "n1"));
        assert!(!told.is_before_main && told.root == root);
        let told = Told::read(&value("before-main;0;0;all;;")).unwrap();
        assert!(told.is_before_main && told.element == ALL && told.node.is_empty());
        for front in ["", "main", "main;", "main;1;1;2;", "main;1;-1;2;n;", "main;x;1;2;n;", "other;1;1;2;n;"] {
            assert_eq!(Told::read(&value(front)), None, "{front}");
        }
        assert_eq!(Told::read(OsStr::new("main;1;1;2;n;relative")), None);
        let mut with = value("main;1;1;2;n;");
        with.push(";x");
        assert!(Told::read(&with).unwrap().root.to_str().unwrap().ends_with(";x"));
    }
}
