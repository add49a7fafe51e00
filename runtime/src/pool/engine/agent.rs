//! Being the agent of a node: a pool of local workers that is fed through standard input.
//!
//! No code of the user's runs in this process, apart from what constructors do: values are passed on as the bytes that
//! they are. So nothing that a task does can keep it from hearing that the pool is gone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::texts;
use crate::child::{self, complain};
use crate::error::{Error, ErrorKind};
use crate::handle;
use crate::inherit::{self, Values};
use crate::launch::{self, Environment};
use crate::link::{Frame, Inbox, Outbox, Progress};
use crate::pool::Pool;
use crate::pool::builder::{InitializerCall, Settings};
use crate::pool::common::Common;
use crate::pool::job::Bundle;
use crate::pool::letters::{Content, Letter};
use crate::pool::mailbox::{Mailbox, Until};
use crate::registry::{self, Entry};
use crate::sys::{self, AGENT_VARIABLE, CHILD_VARIABLE, Receive, Stdio};
use crate::wire::node::{Hello, MAGIC, NodeRun, Orders, ValuesHead, decode_numbers, encode_numbers};
use crate::wire::{
    AnswerHead, Blob, CallHead, EntryHead, Kind, NodeKind, Packed, TOKEN_BEFORE_MAIN, TOKEN_MAIN, TaskRecord,
    WorkerHead,
};

/// The exit status of a process whose variable makes no sense: `EX_USAGE`.
const EXIT_NOT_AN_AGENT: i32 = 64;

/// The exit status of an agent that was told nonsense, or cannot begin.
const EXIT_REFUSED: i32 = 70;

/// The exit status of an agent that nobody talks to.
const EXIT_ABANDONED: i32 = 1;

/// How often it is looked whether the workers cannot begin.
const LOOK: Duration = Duration::from_millis(250);

/// How long answers wait for each other while the workers have enough to do.
const GATHER: Duration = Duration::from_millis(1);

/// How much of answers goes into one frame.
const MOST_BYTES: usize = 256 << 10;

/// The part of `main` that makes the process an agent. Returns in all others.
pub(crate) fn enter() {
    static ENTERING: Mutex<()> = Mutex::new(());
    let _entering = ENTERING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = told() {
        serve(&value);
    }
}

// In a test binary `main` belongs to the harness.
sys::before_main!(before_main);

fn before_main() {
    if let Some(value) = told().filter(|value| value == TOKEN_BEFORE_MAIN) {
        sys::prepare_before_main();
        serve(&value);
    }
}

/// A child of an agent is a child.
fn told() -> Option<OsString> {
    std::env::var_os(AGENT_VARIABLE).filter(|_| std::env::var_os(CHILD_VARIABLE).is_none())
}

fn serve(value: &OsString) -> ! {
    let refused = if sys::has_raised_privileges() {
        Some("it runs with raised privileges and does not take orders from its environment")
    } else if value != TOKEN_MAIN && value != TOKEN_BEFORE_MAIN {
        Some("it is malformed")
    } else {
        None
    };
    if let Some(reason) = refused {
        complain(format_args!(
            "the environment variable {AGENT_VARIABLE} is set to {value:?}, which makes this program the agent of a pool on \
             another machine, but {reason}.\nThe variable is for spawnsafe itself: remove it to run the program."
        ));
        exit(EXIT_NOT_AN_AGENT);
    }
    if value == TOKEN_MAIN {
        registry::set_process_main();
    }
    // Before anything runs that may print.
    let (input, output) = sys::take_streams().unwrap_or_else(|error| fail("its streams cannot be taken over", &error));
    let output = Output(Mutex::new(output));
    output.write_magic();
    let heard = Arc::new(Heard { started: Instant::now(), last: AtomicU64::new(0) });
    let mut source = Source {
        input: BufReader::with_capacity(128 << 10, Hearing(input, Arc::clone(&heard))),
        inbox: Inbox::default(),
    };
    let begun = match source.next() {
        Some(frame) if frame.kind == Kind::Node(NodeKind::Orders) => begin(frame),
        Some(_) => Err(texts::damaged_orders()),
        None => exit(0),
    };
    let (node, silence) = begun.unwrap_or_else(|error| {
        output.send(Outbox::new(Kind::Failure, &[], child::pack_error(&error)));
        exit(EXIT_REFUSED)
    });
    let workers = node.pool.common.seats() as u32;
    let name = std::env::var("SLURMD_NODENAME").unwrap_or_default();
    let hello = Hello { workers, process: std::process::id(), node: &name };
    output.send_items(NodeKind::Hello, hello.encode());
    run(node, output, source, silence, heard)
}

/// Nothing can be said to the pool.
fn fail(what: &str, error: &dyn std::fmt::Display) -> ! {
    complain(format_args!("the agent of a pool ends: {what}: {error}"));
    exit(EXIT_REFUSED)
}

/// Splits the agent into its threads.
fn run(node: Node, output: Output, source: Source, silence: Duration, heard: Arc<Heard>) -> ! {
    let output = Arc::new(output);
    let (common, mailbox) = (Arc::clone(&node.pool.common), Arc::clone(&node.mailbox));
    let (runs, failed_value) = (Arc::clone(&node.runs), Arc::clone(&node.failed_value));
    let thread = |name: &str, work: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().name(name.into());
        if let Err(error) = sys::with_signals_blocked(|| thread.spawn(work)) {
            fail("a thread cannot be started", &error);
        }
    };
    let feeds = Arc::clone(&output);
    thread("spawnsafe-feeder", Box::new(move || node.feed(source, &feeds)));
    thread("spawnsafe-watch", Box::new(move || watch(&heard, silence)));
    answer(&common, &Mail { mailbox, runs, failed_value }, &output, silence)
}

/// Ends the process when the other side has been silent for too long: the link is cut, and nobody wants what runs here.
fn watch(heard: &Heard, limit: Duration) -> ! {
    loop {
        let silence = heard.silence();
        if silence > limit {
            complain(format_args!("the agent of a pool ends: nothing was heard of the pool for {limit:?}"));
            exit(EXIT_ABANDONED);
        }
        std::thread::sleep((limit - silence).min(limit / 4));
    }
}

/// A value of an initializer that has failed, as it was packed.
type FailedValue = Mutex<Option<(Vec<u8>, Vec<Vec<u8>>)>>;

/// The node's pool, and what is known of what it is fed with.
struct Node {
    pool: Pool,
    /// All answers come here.
    mailbox: Arc<Mailbox>,
    runs: Arc<Runs>,
    values: Arc<Values>,
    /// By the numbers that the pool on the other side gives them; its name where there is none.
    entries: Vec<Result<(&'static Entry, u32), String>>,
    failed_value: Arc<FailedValue>,
}

/// Makes the pool that the orders describe. Gives also how long the other side may be silent.
fn begin(frame: Frame) -> Result<(Node, Duration), Error> {
    let Frame { items, blobs, .. } = frame;
    // All else may mean something else in another build.
    if Orders::build(&items) != Some(sys::portable_build_id()) {
        return Err(texts::build_mismatch());
    }
    let (orders, rest) = Orders::decode(&items).ok_or_else(texts::damaged_orders)?;
    let (head, rest) = CallHead::decode(rest).ok_or_else(texts::damaged_orders)?;
    let (confinement, rest) = WorkerHead::decode(rest).ok_or_else(texts::damaged_orders)?;
    let (statics, arguments) = inherit::split(rest).ok_or_else(texts::damaged_orders)?;
    let values = Arc::new(Values::default().with(&statics)?);
    launch::set_arguments(orders.arguments.iter().map(|argument| sys::os_string(argument)).collect());

    let mut environment = Environment::default();
    if orders.clears_environment {
        environment.clear();
    }
    for (key, value) in &orders.environment {
        let key = sys::os_string(key);
        match value {
            Some(value) => environment.set(&key, &sys::os_string(value)),
            None => environment.remove(&key),
        }
    }
    let failed_value = Arc::default();
    let stream = |is_silent: bool| if is_silent { Stdio::null() } else { Stdio::inherit() };
    let settings = Settings {
        dispatch: handle::may_start()?,
        initializer: initializer(&head, arguments, blobs, &failed_value)?,
        initializer_timeout: Duration::from_nanos(orders.initializer_timeout),
        max_tasks_per_worker: orders.max_tasks,
        task_timeout: orders.task_timeout.map(Duration::from_nanos),
        environment,
        stdout: stream(orders.silent[0]),
        stderr: stream(orders.silent[1]),
        name: Some(head.process_name.to_owned()),
        current_dir: sys::os_string(head.current_dir).into(),
        confinement,
        ..Settings::new()
    };
    let workers = if orders.workers == 0 { room() } else { orders.workers as usize };
    let pool = Pool::of(settings, workers, Arc::clone(&values))?;
    let node = Node { pool, mailbox: Arc::default(), runs: Arc::default(), values, entries: Vec::new(), failed_value };
    Ok((node, Duration::from_nanos(orders.silence)))
}

/// How many workers there is room for: what an allocation of Slurm gives, or else one for each processor.
fn room() -> usize {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok().filter(|&number: &usize| number > 0);
    number("SLURM_CPUS_PER_TASK")
        .or_else(|| number("SLURM_CPUS_ON_NODE"))
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn initializer(
    head: &CallHead<'_>,
    arguments: &[u8],
    blobs: Vec<Vec<u8>>,
    failed: &Arc<FailedValue>,
) -> Result<Option<InitializerCall>, Error> {
    if head.name.is_empty() {
        return Ok(None);
    }
    let entry = registry::find(head.index, head.name, head.position)
        .ok_or_else(|| texts::unknown_entry().in_entry(head.name.to_owned()))?;
    let failed = Arc::clone(failed);
    Ok(Some(InitializerCall {
        entry,
        index: head.index,
        items: Arc::new(arguments.to_vec()),
        blobs: blobs.into_iter().map(|blob| Arc::new(Blob::from(blob))).collect(),
        attachments: Vec::new(),
        judge: Box::new(move |items, blobs, _| {
            // What it has returned can be understood where its type is known. That it is the `Err` of a `Result`, the
            // only failure that an initializer may return, can be seen from outside: a map of one, with this name.
            if !items.starts_with(b"\xa1\x63Err") {
                return Ok(());
            }
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((items.to_vec(), blobs));
            Err(Error::new(ErrorKind::Spawn, "the initializer has failed"))
        }),
    }))
}

impl Node {
    /// Takes what comes from the pool, until there is nothing more.
    fn feed(mut self, mut source: Source, output: &Output) {
        while let Some(frame) = source.next() {
            let Kind::Node(kind) = frame.kind else { nonsense() };
            let common = &self.pool.common;
            match kind {
                NodeKind::Beat => {}
                NodeKind::Jobs => self.submit(frame, output).unwrap_or_else(|| nonsense()),
                NodeKind::Stop | NodeKind::Forget => {
                    let numbers = decode_numbers(&frame.items).unwrap_or_else(|| nonsense());
                    numbers.iter().for_each(|&number| self.runs.stop(number, kind == NodeKind::Stop));
                    common.withdraw_unwanted();
                    common.cancellations.fetch_add(1, Ordering::AcqRel);
                    common.wake_all();
                }
                NodeKind::Yield => {
                    let most = frame.items.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                    let jobs = common.yield_last(most.unwrap_or_else(|| nonsense()) as usize);
                    let numbers: Vec<u64> = jobs.iter().flat_map(|job| [job.first(), job.len() as u64]).collect();
                    jobs.iter().for_each(|job| self.runs.ended(job.first(), job.len()));
                    output.send_items(NodeKind::Yielded, encode_numbers(&numbers));
                }
                NodeKind::Leave => {
                    self.pool.join();
                    exit(0);
                }
                _ => nonsense(),
            }
        }
        // The workers end with this process.
        exit(0);
    }

    /// `None` if the frame is none.
    fn submit(&mut self, frame: Frame, output: &Output) -> Option<()> {
        let (statics, mut rest) = inherit::split(&frame.items)?;
        if !statics.is_empty() {
            self.values = Arc::new(self.values.with(&statics).ok()?);
        }
        let mut blobs = frame.blobs.into_iter();
        let mut jobs = Vec::new();
        while !rest.is_empty() {
            let (NodeRun { number, timeout, run }, mut records, after) =
                NodeRun::decode(rest, self.entries.len() as u32)?;
            rest = after;
            if let Some(EntryHead { index, position, name }) = run.new {
                let found = registry::find(index, name, position).map(|entry| (entry, index));
                self.entries.push(found.ok_or_else(|| name.to_owned()));
            }
            let own = blobs.by_ref().take(run.blobs.into()).map(|blob| Arc::new(Blob::from(blob))).collect();
            let entry = match self.entries.get(run.entry as usize)? {
                Ok(entry) => *entry,
                Err(name) => {
                    let error = || texts::unknown_entry().in_entry(name.clone());
                    (0..run.count.into()).for_each(|task| output.send_error(number + task, &error()));
                    continue;
                }
            };
            // Each can be cancelled by itself.
            let mailbox = Arc::new(Mailbox::forwarding(Arc::clone(&self.mailbox)));
            let room = (run.count as usize).min(records.len());
            let mut bundle = Bundle::new(entry, (&mailbox, &self.values), number, room);
            for _ in 0..run.count {
                let (TaskRecord(arguments), others) = TaskRecord::decode(records)?;
                records = others;
                bundle.push(arguments);
            }
            bundle.blobs = own;
            bundle.timeout = timeout.map(Duration::from_nanos);
            self.runs.begin(number, bundle.len(), mailbox);
            // Whether it may run again is for the pool to say.
            jobs.push(bundle.into_job(0));
        }
        // If the workers cannot begin, the other side is about to be told, and these have not run.
        let _ = self.pool.common.submit(&mut jobs);
        Some(())
    }
}

fn nonsense() -> ! {
    complain(format_args!("the agent of a pool was sent something that it cannot read"));
    exit(EXIT_REFUSED)
}

/// What the answers come through.
struct Mail {
    mailbox: Arc<Mailbox>,
    runs: Arc<Runs>,
    failed_value: Arc<FailedValue>,
}

/// Sends the answers as they come, and signs of life.
fn answer(common: &Common, mail: &Mail, output: &Output, silence: Duration) -> ! {
    let Mail { mailbox, runs, failed_value } = mail;
    let pause = (silence / 4).min(LOOK);
    let mut beat = Instant::now();
    let mut letters = Vec::new();
    loop {
        mailbox.collect(&mut letters, Until::Time(Instant::now() + pause));
        if !letters.is_empty() && common.has_waiting() {
            // The workers do not wait for the other side, so the other side can wait for more: each frame costs all that
            // pass it on a wake-up.
            std::thread::sleep(GATHER);
            mailbox.collect(&mut letters, Until::Now);
        }
        if let Some(error) = common.broken() {
            // What has run has an answer, which must be heard before the rest is taken for what has not.
            common.wait_until_quiet(None);
            mailbox.collect(&mut letters, Until::Now);
            letters.retain(|letter| !matches!(&letter.content, Content::Failed(other) if other.is_copy_of(&error)));
            output.send_answers(letters, runs);
            let value = failed_value.lock().unwrap_or_else(PoisonError::into_inner).take();
            output.send(match value {
                Some((items, blobs)) => {
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    Outbox::new(Kind::Value, &[], Packed { items, blobs, ..Packed::default() })
                }
                None => Outbox::new(Kind::Failure, &[], child::pack_error(&error)),
            });
            exit(EXIT_REFUSED);
        }
        if !letters.is_empty() {
            output.send_answers(std::mem::take(&mut letters), runs);
            beat = Instant::now();
        } else if beat.elapsed() >= silence / 4 {
            output.send_items(NodeKind::Beat, Vec::new());
            beat = Instant::now();
        }
    }
}

/// Whether the worker of the task has vanished, so that nobody knows how far it came.
fn is_loss(error: &Error) -> bool {
    // The kinds of what a task has answered are others.
    matches!(error.kind(), ErrorKind::Exited | ErrorKind::Signaled)
}

/// What was standard output.
struct Output(Mutex<File>);

impl Output {
    fn file(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_magic(&self) {
        if self.file().write_all(&MAGIC).is_err() {
            exit(EXIT_ABANDONED);
        }
    }

    /// Sends a frame. Where nobody listens there is nothing left to do.
    fn send(&self, mut frame: Outbox) {
        let mut file = self.file();
        if frame.pump(|pieces, _| file.write_vectored(pieces)).is_err() {
            exit(EXIT_ABANDONED);
        }
    }

    fn send_items(&self, kind: NodeKind, items: Vec<u8>) {
        self.send(Outbox::new(Kind::Node(kind), &[], Packed { items, ..Packed::default() }));
    }

    /// Many in one frame, but for long ones.
    fn send_answers(&self, letters: Vec<Letter>, runs: &Runs) {
        let mut bytes = Vec::new();
        for Letter { first, count, content } in letters {
            runs.ended(first, count);
            match content {
                Content::Values { answers, mut at, .. } => {
                    ValuesHead { first, count: count as u64 }.encode(&mut bytes);
                    for _ in 0..count {
                        let (answer, next) = answers.get(at).expect("it was there when the letter was written");
                        at = next;
                        TaskRecord(answer.body).encode(&mut bytes);
                    }
                }
                Content::Long { attachments, .. } if !attachments.is_empty() => {
                    self.send_error(first, &texts::result_not_carried());
                }
                // Its head is that of an answer of the worker.
                Content::Long { mut items, start: AnswerHead::LEN, blobs, .. } => {
                    items[..AnswerHead::LEN].copy_from_slice(&AnswerHead { task: first, failed: false }.encode());
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    self.send(Outbox::new(
                        Kind::Node(NodeKind::Long),
                        &[],
                        Packed { items, blobs, ..Packed::default() },
                    ));
                }
                Content::Long { items, start, blobs, .. } => {
                    let blobs = blobs.into_iter().map(Blob::from).collect();
                    let packed = Packed { items: items[start..].to_vec(), blobs, ..Packed::default() };
                    let head = AnswerHead { task: first, failed: false }.encode();
                    self.send(Outbox::new(Kind::Node(NodeKind::Long), &head, packed));
                }
                Content::Failed(error) => self.send_error(first, &error),
            }
            if bytes.len() >= MOST_BYTES {
                self.send_items(NodeKind::Answers, std::mem::take(&mut bytes));
            }
        }
        if !bytes.is_empty() {
            self.send_items(NodeKind::Answers, bytes);
        }
    }

    fn send_error(&self, number: u64, error: &Error) {
        let packed = child::pack_error(error);
        if is_loss(error) {
            self.send(Outbox::new(Kind::Node(NodeKind::Lost), &number.to_le_bytes(), packed));
        } else {
            let head = AnswerHead { task: number, failed: true }.encode();
            self.send(Outbox::new(Kind::Node(NodeKind::Long), &head, packed));
        }
    }
}

/// The runs of tasks that the pool has sent, so that it can take back what it has said of them.
#[derive(Debug, Default)]
struct Runs(Mutex<BTreeMap<u64, (usize, Arc<Mailbox>)>>);

impl Runs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (usize, Arc<Mailbox>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, number: u64, count: usize, mailbox: Arc<Mailbox>) {
        self.lock().insert(number, (count, mailbox));
    }

    /// So many tasks of a run have ended, from this number on.
    fn ended(&self, number: u64, count: usize) {
        let mut runs = self.lock();
        let Some((&first, (left, _))) = runs.range_mut(..=number).next_back() else { return };
        *left = left.saturating_sub(count);
        if *left == 0 {
            runs.remove(&first);
        }
    }

    /// The tasks of the run with this one need not begin; and are stopped if they run.
    fn stop(&self, number: u64, cancels: bool) {
        if let Some((_, (_, mailbox))) = self.lock().range(..=number).next_back() {
            if cancels { mailbox.cancel() } else { mailbox.abandon() }
        }
    }
}

/// When something has come from the pool.
#[derive(Debug)]
struct Heard {
    started: Instant,
    /// In milliseconds from the start.
    last: AtomicU64,
}

impl Heard {
    fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Acquire)))
    }
}

struct Hearing(File, Arc<Heard>);

/// No handles come this way.
impl Receive for BufReader<Hearing> {}

impl Read for Hearing {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buf)?;
        let now = self.1.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        self.1.last.store(now, Ordering::Release);
        Ok(count)
    }
}

/// What was standard input.
struct Source {
    input: BufReader<Hearing>,
    inbox: Inbox,
}

impl Source {
    /// The next frame; `None` if nothing more comes.
    fn next(&mut self) -> Option<Frame> {
        loop {
            match self.inbox.pump(&mut self.input, usize::MAX) {
                Ok(Progress::Complete(frame)) => return Some(frame),
                Ok(Progress::Pending | Progress::More) => {}
                Ok(Progress::Closed { .. }) => return None,
                Err(error) => {
                    complain(format_args!("the agent of a pool ends: what it was sent cannot be read: {error}"));
                    exit(EXIT_REFUSED);
                }
            }
        }
    }
}
