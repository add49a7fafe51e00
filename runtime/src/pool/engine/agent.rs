//! Being the agent of a node: a pool of local workers that is fed through standard input.
//!
//! No code of the user's runs in this process, apart from what constructors do: values are passed on as the bytes that
//! they are. So nothing that a task does can keep it from hearing that the pool is gone.

mod answering;
pub(in crate::pool) mod errand;
mod jobs;
mod local;
mod numbers;
mod shorts;
pub(in crate::pool) mod station;
mod streams;

use std::ffi::OsStr;
use std::io::BufReader;
use std::process::exit;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use answering::{Answering, Pulse};
use jobs::{Destination, Known, read_jobs};
use streams::{Heard, Hearing, Output, Runs, Source};

use super::{HEARTBEAT, foreign, texts};
use crate::child::{self, complain};
use crate::error::{Error, ErrorKind};
use crate::handle;
use crate::inherit::{self, Values};
use crate::launch::{self, Environment, StartMethod};
use crate::link::{Frame, Inbox, Outbox};
use crate::pool::Pool;
#[cfg(feature = "tracing")]
use crate::pool::builder::Relay;
use crate::pool::builder::{InitializerCall, Settings};
use crate::pool::mailbox::Mailbox;
use crate::registry::{self, Dispatch, Entry};
use crate::sys::{self, AGENT_VARIABLE, Stdio};
use crate::wire::node::{Hello, Orders, decode_numbers, encode_numbers};
use crate::wire::{Blob, CallHead, Kind, NodeKind, TOKEN_BEFORE_MAIN, TOKEN_MAIN, WorkerHead};
#[cfg(feature = "tracing")]
use crate::wire::{EventHead, Packed};

/// The exit status of a process whose variable makes no sense: `EX_USAGE`.
const EXIT_NOT_AN_AGENT: i32 = 64;

/// The exit status of an agent that was told nonsense, or cannot begin.
const EXIT_REFUSED: i32 = 70;

/// The exit status of an agent that nobody talks to.
const EXIT_ABANDONED: i32 = 1;

/// The part of `main` that makes the process an agent. Returns in all others.
pub(crate) fn enter() {
    child::take_role(AGENT_VARIABLE, serve);
}

// In a test binary `main` belongs to the harness.
sys::before_main!(before_main);

fn before_main() {
    let is_for_here =
        |value: &OsStr| role(value).is_some_and(|(token, _)| token == TOKEN_BEFORE_MAIN) || is_url(value) && is_test();
    child::take_role_before_main(AGENT_VARIABLE, is_for_here, serve);
}

/// Whether it names a queue that is to be served.
fn is_url(value: &OsStr) -> bool {
    value.to_str().and_then(foreign::scheme).is_some()
}

/// Whether `main` is not for us to take over from.
fn is_test() -> bool {
    registry::dispatch() == Some(Dispatch::BeforeMain)
}

/// Where the process becomes an agent, and how long it waits for a word of the pool, as the variable says it.
fn role(value: &OsStr) -> Option<(&str, Duration)> {
    let text = value.to_str()?;
    let (token, silence) = match text.split_once(':') {
        Some((token, silence)) => (token, Duration::from_millis(silence.parse().ok()?)),
        None => (text, HEARTBEAT),
    };
    (token == TOKEN_MAIN || token == TOKEN_BEFORE_MAIN).then_some((token, silence))
}

fn refuse(value: &OsStr, reason: &str) -> ! {
    complain(format_args!(
        "the environment variable {AGENT_VARIABLE} is set to {value:?}, which makes this program the agent of a pool on \
         another machine, but {reason}.\nThe variable is for spawnsafe itself: remove it to run the program."
    ));
    exit(EXIT_NOT_AN_AGENT)
}

fn serve(value: &OsStr) -> ! {
    if sys::has_raised_privileges() {
        refuse(value, "it runs with raised privileges and does not take orders from its environment");
    }
    if let Some(url) = value.to_str().filter(|_| is_url(value)) {
        serve_queue(url);
    }
    let (token, silence) = role(value).unwrap_or_else(|| refuse(value, "it is malformed"));
    if token == TOKEN_MAIN {
        registry::set_process_main();
    }
    // Before anything runs that may print.
    let (input, output) = sys::take_streams().unwrap_or_else(|error| fail("its streams cannot be taken over", &error));
    let output = Arc::new(Output::new(output));
    let heard = Arc::new(Heard::new(silence));
    let watched = Arc::clone(&heard);
    start_thread("spawnsafe-watch", move || watch(&watched));
    let mut source = Source {
        input: BufReader::with_capacity(128 << 10, Hearing(input, Arc::clone(&heard))),
        inbox: Inbox::default(),
    };
    let begun = match source.next() {
        Some(frame) if frame.kind == Kind::Node(NodeKind::Orders) => begin(frame, &output),
        Some(_) => Err(texts::damaged_orders()),
        None => exit(0),
    };
    let (node, silence) = begun.unwrap_or_else(|error| {
        output.send(Outbox::new(Kind::Failure, &[], child::pack_error(&error)));
        exit(EXIT_REFUSED)
    });
    heard.has_orders(silence);
    let workers = node.pool.common.seats() as u32;
    let name = std::env::var("SLURMD_NODENAME").unwrap_or_default();
    let hello = Hello { workers, process: std::process::id(), node: &name };
    output.send_items(NodeKind::Hello, hello.encode());
    run(node, output, heard, source, silence)
}

/// Takes tasks from a queue, until the process is ended.
fn serve_queue(url: &str) -> ! {
    if !is_test() {
        registry::set_process_main();
    }
    let scheme = foreign::scheme(url).map(foreign::find);
    let why = match scheme {
        Some(Ok(scheme)) => match (scheme.serve)(url) {
            Err(error) => error.to_string(),
        },
        Some(Err(why)) => why,
        None => "it is malformed".into(),
    };
    complain(format_args!("this program cannot serve the queue that {AGENT_VARIABLE} names: {why}"));
    exit(EXIT_REFUSED)
}

/// Nothing can be said to the pool.
fn fail(what: &str, error: &dyn std::fmt::Display) -> ! {
    complain(format_args!("the agent of a pool ends: {what}: {error}"));
    exit(EXIT_REFUSED)
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name(name.into());
    if let Err(error) = sys::with_signals_blocked(|| thread.spawn(work)) {
        fail("a thread cannot be started", &error);
    }
}

/// Splits the agent into its threads.
fn run(node: Node, output: Arc<Output>, heard: Arc<Heard>, source: Source, silence: Duration) -> ! {
    let answering = Answering {
        common: Arc::clone(&node.pool.common),
        mailbox: Arc::clone(&node.mailbox),
        runs: Arc::clone(&node.runs),
        failed_value: Arc::clone(&node.failed_value),
        output: Arc::clone(&output),
        heard,
        pulse: Arc::clone(&node.pulse),
        silence,
    };
    start_thread("spawnsafe-feeder", move || node.feed(source, &output));
    answering.run()
}

/// Ends the process when the other side has been silent for too long: the link is cut, and nobody wants what runs here; or
/// there is no pool at all, but somebody who keeps its input open.
fn watch(heard: &Heard) -> ! {
    loop {
        let (silence, limit) = (heard.silence(), heard.limit());
        if silence > limit {
            if heard.is_ordered() {
                complain(format_args!("the agent of a pool ends: nothing was heard of the pool for {limit:?}"));
            } else {
                complain(format_args!(
                    "the agent of a pool ends: it was given no orders for {limit:?}; whatever has started it, with \
                     {AGENT_VARIABLE} set, must pass on what the pool writes to its standard input"
                ));
            }
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
    pulse: Arc<Pulse>,
    values: Arc<Values>,
    /// By the numbers that the pool on the other side gives them; its name where there is none.
    entries: Vec<Known>,
    failed_value: Arc<FailedValue>,
}

/// Makes the pool that the orders describe. Gives also how long the other side may be silent.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn begin(frame: Frame, output: &Arc<Output>) -> Result<(Node, Duration), Error> {
    let Frame { items, blobs, .. } = frame;
    // All else may mean something else in another build.
    if Orders::build(&items) != Some(sys::portable_build_id()) {
        return Err(texts::build_mismatch());
    }
    let failed_value = Arc::default();
    let begun = read_orders(&items, blobs, &failed_value, registry::find)?;
    #[cfg(feature = "tracing")]
    let begun = Begun { settings: Settings { relay: Some(relay(begun.events, output)), ..begun.settings }, ..begun };
    let Begun { settings, workers, values, silence, .. } = begun;
    let values = Arc::new(values);
    let pool = Pool::of(settings, workers, Arc::clone(&values))?;
    let node = Node {
        pool,
        mailbox: Arc::default(),
        runs: Arc::default(),
        pulse: Arc::default(),
        values,
        entries: Vec::new(),
        failed_value,
    };
    Ok((node, silence))
}

/// What orders say.
struct Begun {
    settings: Settings,
    workers: usize,
    values: Values,
    /// How long the other side may be silent.
    silence: Duration,
    /// Up to which level it wants events.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    events: u8,
}

/// How an entry is found.
type Find = fn(u32, &str, (u32, u32)) -> Option<&'static Entry>;

fn read_orders(items: &[u8], blobs: Vec<Vec<u8>>, failed_value: &Arc<FailedValue>, find: Find) -> Result<Begun, Error> {
    let (orders, rest) = Orders::decode(items).ok_or_else(texts::damaged_orders)?;
    let (head, rest) = CallHead::decode(rest).ok_or_else(texts::damaged_orders)?;
    let (confinement, rest) = WorkerHead::decode(rest).ok_or_else(texts::damaged_orders)?;
    let (statics, arguments) = inherit::split(rest).ok_or_else(texts::damaged_orders)?;
    let values = Values::default().with(&statics)?;
    launch::set_arguments(match &*orders.arguments {
        [] => std::env::args_os().collect(),
        arguments => arguments.iter().map(|argument| sys::os_string(argument)).collect(),
    });

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
    let stream = |is_silent: bool| if is_silent { Stdio::null() } else { Stdio::inherit() };
    let settings = Settings {
        dispatch: handle::may_start()?,
        initializer: initializer(&head, arguments, blobs, failed_value, find)?,
        initializer_timeout: Duration::from_nanos(orders.initializer_timeout),
        max_tasks_per_worker: orders.max_tasks,
        task_timeout: orders.task_timeout.map(Duration::from_nanos),
        environment,
        stdout: stream(orders.silent[0]),
        stderr: stream(orders.silent[1]),
        start_method: if orders.forks { StartMethod::Zygote } else { StartMethod::Exec },
        name: Some(head.process_name.to_owned()),
        current_dir: sys::os_string(head.current_dir).into(),
        confinement,
        ..Settings::new()
    };
    let workers = if orders.workers == 0 { room() } else { orders.workers as usize };
    Ok(Begun { settings, workers, values, silence: Duration::from_nanos(orders.silence), events: head.events })
}

/// Sends events to the pool before the answers of their tasks, which come from the same threads.
#[cfg(feature = "tracing")]
fn relay(level: u8, output: &Arc<Output>) -> Relay {
    let output = Arc::clone(output);
    let send = move |task: Option<u64>, event: &[u8]| {
        let head = EventHead(task).encode();
        let packed = Packed { items: event.to_vec(), ..Packed::default() };
        output.send(Outbox::new(Kind::Node(NodeKind::Event), &head, packed));
    };
    Relay { level, send: Arc::new(send) }
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
    find: Find,
) -> Result<Option<InitializerCall>, Error> {
    if head.name.is_empty() {
        return Ok(None);
    }
    let entry = find(head.index, head.name, head.position)
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
                NodeKind::Jobs => {
                    self.submit(frame, output).unwrap_or_else(|| nonsense());
                    self.pulse.quicken(&self.mailbox);
                }
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
        let (statics, rest) = inherit::split(&frame.items)?;
        if !statics.is_empty() {
            self.values = Arc::new(self.values.with(&statics).ok()?);
        }
        let to = Destination { mailbox: &self.mailbox, values: &self.values, runs: &self.runs };
        // Whether they may run again is for the pool to say.
        let refuse = |number, error: Error| output.send_error(number, &error);
        let mut jobs = read_jobs(rest, frame.blobs, &mut self.entries, &to, 0, registry::find, refuse)?;
        // If the workers cannot begin, the other side is about to be told, and these have not run.
        let _ = self.pool.common.submit(&mut jobs);
        Some(())
    }
}

fn nonsense() -> ! {
    complain(format_args!("the agent of a pool was sent something that it cannot read"));
    exit(EXIT_REFUSED)
}
