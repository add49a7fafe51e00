//! The start method that has a process fork which was started for that. How and why: `sys/linux/zygote`.

use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::exec::{Executed, Execution, execute};
use super::{Environment, Launched, Launcher, Order, Peer, exiting};
use crate::error::Error;
use crate::link::{self, Frame, Inbox, Outbox, Progress};
use crate::registry::Dispatch;
use crate::sys::{self, Command, Ended, Interest, Piped, Shared, Standing, Started, Stream, Surroundings};
use crate::wire::{CallHead, Kind, Packed};

/// See [`StartMethod::Zygote`](super::StartMethod::Zygote).
#[derive(Debug)]
pub(crate) struct Zygote;

/// How long a zygote may take for anything. It takes fractions of a millisecond, if it is not stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a zygote may take to start, constructors of the program included.
const PATIENCE_AT_START: Duration = Duration::from_secs(60);

/// How many zygotes are asked for one child, if one after another has died.
const ATTEMPTS: usize = 4;

impl Launcher for Zygote {
    fn launch(&self, order: Order) -> io::Result<Launched> {
        sys::can_fork().map_err(|error| no_zygote(error.kind(), &error))?;
        let Order { dispatch, environment, stdin, stdout, stderr, mut outbox, shared } = order;
        environment.check()?;
        let command = Command { args: Vec::new(), env: Vec::new(), stdin, stdout, stderr, token: "", shared };
        let mut refusal = None;
        for _ in 0..ATTEMPTS {
            match exiting::with_room(|| fork(dispatch, &command, &environment, &outbox)) {
                Ok(Some(Forked { mut peer, piped, surroundings, written })) => {
                    finish(surroundings, &mut peer);
                    outbox.skip(written);
                    let mut shared = command.shared;
                    shared.iter_mut().for_each(Shared::handed_over);
                    return Ok(Launched { peer: Box::new(peer), piped, outbox, shared });
                }
                Ok(None) => {}
                // No process more, for this user: one that took up the room may have been reaped since by the thread that does
                // that.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => refusal = Some(error),
                Err(error) => return Err(error),
            }
        }
        let message = format!("{ATTEMPTS} of them have ended, one after another, when they were asked for a process");
        Err(refusal.unwrap_or_else(|| no_zygote(io::ErrorKind::Other, &message)))
    }
}

/// A child that is there.
struct Forked {
    peer: Executed,
    piped: Piped,
    /// What is left to be written before the call.
    surroundings: Outbox,
    /// How much of the call is written.
    written: usize,
}

/// Has the zygote fork. `None` if there has to be another one, as that is dead, or not like this process any more.
fn fork(
    dispatch: Dispatch,
    command: &Command,
    environment: &Environment,
    outbox: &Outbox,
) -> io::Result<Option<Forked>> {
    let zygote = Kept::current(dispatch)?;
    let (stream, handover) = sys::connection()?;
    stream.prepare_to_write(outbox.len());
    let at = zygote.stream.as_deref().ok_or(io::ErrorKind::NotConnected)?;
    let request = sys::request(at, command, &handover, Instant::now() + PATIENCE)?;
    // The connection is to close when nobody else has the child's end.
    drop(handover);
    let Some(request) = request else {
        Kept::forget(&zygote);
        return Ok(None);
    };
    // While the zygote forks.
    let begun = Surroundings::now().and_then(|now| {
        if *now.standing() != zygote.standing {
            return Ok(None);
        }
        let variables = environment.clone().variables()?;
        // That of the zygote is in place in its copy.
        let others = (variables != zygote.environment).then_some(&variables[..]);
        let mut surroundings = Outbox::new(Kind::Surroundings, &now.encode(others), Packed::default());
        // Whether the child is there to read it, the reply tells.
        let written = surroundings.pump_with(outbox, |pieces, handles| stream.write(pieces, handles)).unwrap_or(0);
        Ok(Some((surroundings, written)))
    });
    let child = request.wait(&stream, Instant::now() + PATIENCE).map_err(cannot_fork)?;
    let is_born = child.is_some();
    let child = child.map(|Started { process, piped, .. }| (Executed::new(process, stream), piped));
    match (begun, child) {
        (Ok(Some((surroundings, written))), Some((mut peer, piped))) => {
            peer.is_up();
            Ok(Some(Forked { peer, piped, surroundings, written }))
        }
        (begun, child) => {
            // It waits for what it is to do.
            child.into_iter().for_each(|(mut peer, _)| end(&mut peer));
            let is_stale = begun?.is_none();
            if is_stale || !is_born {
                Kept::forget(&zygote);
            }
            Ok(None)
        }
    }
}

/// Writes the rest of what a child reads first: an environment may be longer than what a connection holds.
fn finish(mut surroundings: Outbox, peer: &mut Executed) {
    // A child that has ended meanwhile has nothing to read: joining tells.
    while let (Ok(false), Ok(None)) =
        (surroundings.pump(|pieces, handles| peer.write(pieces, handles)), peer.try_wait())
    {
        if peer.wait(Some(Interest::ReadOrWrite), None).is_err() {
            break;
        }
    }
}

/// The zygote of this process.
struct Kept {
    /// The process that has started it: a copy of that, which the user has forked, is not its parent.
    parent: u32,
    /// What it has from its parent, and gives to its children.
    standing: Standing,
    environment: Vec<(OsString, OsString)>,
    /// `None` once it is to end.
    stream: Option<Arc<Stream>>,
    peer: Mutex<Box<dyn Peer>>,
}

impl Kept {
    /// The zygote, started now if there is none.
    fn current(dispatch: Dispatch) -> io::Result<Arc<Self>> {
        let mut kept = kept();
        match &*kept {
            Some(zygote) if zygote.parent == std::process::id() => Ok(Arc::clone(zygote)),
            _ => {
                let zygote = Arc::new(Self::start(dispatch)?);
                *kept = Some(Arc::clone(&zygote));
                Ok(zygote)
            }
        }
    }

    /// It is dead, or of no use any more: the next child is another one's. It ends when nobody is waiting for it.
    fn forget(zygote: &Arc<Self>) {
        let mut kept = kept();
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, zygote)) {
            *kept = None;
        }
    }

    fn start(dispatch: Dispatch) -> io::Result<Self> {
        let standing = Surroundings::now()?.into_standing();
        let head = CallHead {
            build: sys::build_id(),
            index: 0,
            position: (0, 0),
            name: "",
            process_name: &sys::process_name(),
            current_dir: b"",
            events: 0,
        };
        let order = Order::in_background(dispatch, Outbox::new(Kind::Zygote, &head.encode(), Packed::default()));
        let Execution { executed, mut outbox, environment, .. } = execute(order)?;
        let mut peer = Box::new(executed);
        let started = match await_word(&mut *peer, &mut outbox) {
            Ok(frame) if frame.kind == Kind::Value => Ok(()),
            Ok(frame) => Err(no_zygote(io::ErrorKind::Unsupported, &reason(&frame))),
            Err(error) => Err(error),
        };
        let stream = peer.ends().1;
        let zygote = Self { parent: std::process::id(), standing, environment, stream, peer: Mutex::new(peer) };
        // Where it is refused, dropping it ends it.
        started.map(|()| zygote)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.parent == std::process::id() {
            self.stream = None;
            end(&mut **self.peer.get_mut().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

fn kept() -> MutexGuard<'static, Option<Arc<Kept>>> {
    static KEPT: Mutex<Option<Arc<Kept>>> = Mutex::new(None);
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first frame of a zygote that has just been started.
fn await_word(peer: &mut dyn Peer, outbox: &mut Outbox) -> io::Result<Frame> {
    let deadline = Instant::now() + PATIENCE_AT_START;
    let mut inbox = Inbox::default();
    loop {
        let ended = peer.try_wait()?;
        // If it does not read, it has ended or says why.
        let _ = outbox.pump(|pieces, handles| peer.write(pieces, handles));
        match (inbox.pump(peer, usize::MAX), ended) {
            (Ok(Progress::Complete(frame)), _) => return Ok(frame),
            (Ok(Progress::More), _) => {}
            (Ok(Progress::Pending), None) if Instant::now() < deadline => {
                peer.wait(Some(Interest::Read), Some(deadline))?;
            }
            (Ok(Progress::Closed { .. }), None) if Instant::now() < deadline => {
                peer.wait(None, Some(deadline))?;
            }
            (Ok(Progress::Pending | Progress::Closed { .. }), ended) => {
                return Err(no_zygote(io::ErrorKind::Other, &not_ready(ended)));
            }
            (Err(error), _) => return Err(no_zygote(io::ErrorKind::InvalidData, &error)),
        }
    }
}

fn not_ready(ended: Option<Ended>) -> String {
    match ended {
        Some(Ended::With(status)) => format!("it ended with {status} before it was ready"),
        Some(Ended::Unknown) => "it ended before it was ready".into(),
        None => format!("it was not ready after {PATIENCE_AT_START:?}"),
    }
}

/// What a zygote has against being one.
fn reason(frame: &Frame) -> String {
    let error: Result<Error, _> = link::unpacker(&frame.items, Vec::new()).value();
    error.map_or_else(|error| format!("what it says about itself cannot be read: {error}"), |error| error.to_string())
}

fn no_zygote(kind: io::ErrorKind, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(kind, format!("there is no zygote that could fork it: {why}; use `StartMethod::Exec` here"))
}

/// Where the system lacks something for the moment, its error says so. Where it forbids, it would for ever.
fn cannot_fork(error: io::Error) -> io::Error {
    match error.kind() {
        kind @ (io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            no_zygote(kind, &format!("the system does not let it fork for its parent ({error})"))
        }
        _ => error,
    }
}

/// Kills and reaps. This process may not be allowed to kill what has rights that it has given up since: that ends by itself
/// when its connection closes.
fn end(peer: &mut dyn Peer) {
    peer.hang_up();
    while let Ok(None) = peer.try_wait() {
        // If the system refuses, it is waited for all the same.
        let _ = peer.kill();
        if peer.wait(None, None).is_err() {
            break;
        }
    }
}
