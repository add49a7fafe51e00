//! What can go wrong with a child process, as one opaque error with a kind.
//!
//! Everything in an [`Error`] is plain data, so that an error can itself travel from a child to its parent.

use std::borrow::Cow;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

mod remote;
mod status;

pub use remote::RemoteError;
pub use status::ExitStatus;

/// Why a call in a child process gave no value.
///
/// [`kind`](Error::kind) is for programs, `Display` is for people: it says what failed, in which entry, and what to
/// do about it. An error that the entry itself *returned* is not here: it is in the value, as
/// `Result<Result<T, E>, Error>`.
///
/// An `Error` may be returned by an entry, so that a child can report what happened to its own children.
/// Its sources then arrive as text.
///
/// ```
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// use spawnsafe::{child_entry, ErrorKind};
///
/// #[child_entry]
/// fn divide(a: u32, b: u32) -> u32 { a / b }
///
/// let error = divide::run(1, 0).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Panicked);
/// assert!(error.panic().unwrap().message().contains("divide by zero"));
/// # Ok(()) }
/// ```
#[derive(Serialize, Deserialize)]
pub struct Error(Box<Inner>);

#[derive(Serialize, Deserialize)]
struct Inner {
    kind: ErrorKind,
    entry: Option<Cow<'static, str>>,
    message: String,
    panic: Option<Panic>,
    exit_status: Option<ExitStatus>,
    source: Option<Source>,
}

/// The general category of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `main` lacks `#[process_main]`, so a child would run it again: nothing was started.
    NoProcessMain,
    /// The process could not be started: the system refused, or what was set is not possible, or not on this system.
    Spawn,
    /// An argument or an inherited static could not be encoded (nothing was started), or a result or a message could not.
    Encode,
    /// The child could not rebuild an argument or an inherited static, or the parent could not rebuild the result; or
    /// a receiver could not rebuild a message.
    Decode,
    /// The child's program has no entry of that name.
    UnknownEntry,
    /// Two entries of the program have the same name: nothing was started.
    DuplicateEntry,
    /// The child was started from another build of the program.
    BuildMismatch,
    /// The entry panicked: see [`Error::panic`].
    Panicked,
    /// The process exited before its entry returned: see [`Error::exit_status`].
    Exited,
    /// The process was ended by a signal or a crash: see [`Error::exit_status`].
    Signaled,
    /// The time limit passed and the child was killed; or a channel had no room for a message within the time given, or a
    /// pool was not done within the time for its [`shutdown`](crate::Pool::shutdown).
    TimedOut,
    /// The child was killed by [`Child::kill`](crate::Child::kill), or the task stopped by
    /// [`Task::cancel`](crate::Task::cancel) or the pool's [`shutdown`](crate::Pool::shutdown).
    Cancelled,
    /// There is nothing more to wait for: the result was already taken, or the connection was lost; or the other ends of
    /// a channel are gone, or the pool was closed or dropped.
    Closed,
    /// The child sent bytes that are no answer, and was killed.
    Protocol,
    /// The node of a cluster that had the task vanished, so that nobody knows whether it has run; and its entry does not say
    /// that it may run again.
    Lost,
    /// The system refused what a channel or a shared slice needs, such as a descriptor or memory; nothing was lost. Or it
    /// refused to read or write a file of a batch. An [`io::Error`] that `?` makes an [`Error`] is of this kind as well.
    System,
}

/// What a child reported of the panic that ended its entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<Location>,
    pub(crate) thread: Option<String>,
    pub(crate) backtrace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Location {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A cause: as it was in this process, or as the text that came from another one.
enum Source {
    Local(Box<dyn std::error::Error + Send + Sync>),
    Remote(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            entry: None,
            message: message.into(),
            panic: None,
            exit_status: None,
            source: None,
        }))
    }

    pub(crate) fn in_entry(mut self, entry: impl Into<Cow<'static, str>>) -> Self {
        self.0.entry = Some(entry.into());
        self
    }

    pub(crate) fn with_panic(mut self, panic: Panic) -> Self {
        self.0.panic = Some(panic);
        self
    }

    pub(crate) fn with_status(mut self, status: ExitStatus) -> Self {
        self.0.exit_status = Some(status);
        self
    }

    /// Says more behind what it says.
    #[cfg(feature = "engines")]
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.0.message.push_str(note);
        self
    }

    /// The same error with so many bytes of each of its texts, about; of its causes the first is left.
    #[cfg(feature = "engines")]
    pub(crate) fn shortened(&self, most: usize) -> Self {
        let mut error = self.copy();
        let Inner { message, panic, source, .. } = &mut *error.0;
        shorten(message, most);
        if let Some(Panic { message, location, thread, backtrace }) = panic {
            let file = location.as_mut().map(|location| &mut location.file);
            let texts = [Some(message), file, thread.as_mut(), backtrace.as_mut()];
            texts.into_iter().flatten().for_each(|text| shorten(text, most));
        }
        if let Some(Source::Local(cause) | Source::Remote(cause)) = source {
            let mut text = cause.to_string();
            shorten(&mut text, most);
            *source = Some(Source::Remote(RemoteError::msg(text).into()));
        }
        error
    }

    /// Whether it says the same as another one, in whichever entry.
    #[cfg(feature = "engines")]
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.0.message == other.0.message
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(Source::Local(source.into()));
        self
    }

    /// The same error once more, for another one whom it concerns; its sources become texts.
    pub(crate) fn copy(&self) -> Self {
        let source = std::error::Error::source(self).map(|source| Source::Remote(RemoteError::new(source).into()));
        let Inner { kind, entry, message, panic, exit_status, .. } = &*self.0;
        Error(Box::new(Inner {
            kind: *kind,
            entry: entry.clone(),
            message: message.clone(),
            panic: panic.clone(),
            exit_status: *exit_status,
            source,
        }))
    }

    /// Which kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the entry that was to run, where one is concerned.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        self.0.entry.as_deref()
    }

    /// The panic that ended the entry, for [`ErrorKind::Panicked`].
    #[must_use]
    pub fn panic(&self) -> Option<&Panic> {
        self.0.panic.as_ref()
    }

    /// How the process ended, if it has and the system told. It never does for a process whose parent ignores
    /// `SIGCHLD`, or reaps foreign children, on Linux before 6.15.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.0.exit_status
    }
}

impl Panic {
    /// The message that the panic was raised with; `Box<dyn Any>` where the payload was no string.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The source file in which the panic was raised, as the compiler saw it. `None` if the entry replaced the panic
    /// hook or raised the panic with `resume_unwind`.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.location.as_ref().map(|location| location.file.as_str())
    }

    /// The line of the panic, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.location.as_ref().map(|location| location.line)
    }

    /// The column of the panic, counted from 1.
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        self.location.as_ref().map(|location| location.column)
    }

    /// The name of the thread that panicked: the entry runs on the thread `main`.
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// The backtrace, if `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` enables it in the child.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(Location { file, line, column }) => write!(f, "{} ({file}:{line}:{column})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// The start of a text that has at most so many bytes.
#[cfg(any(feature = "engines", feature = "tracing"))]
pub(crate) fn start_of(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// Leaves the beginning of what is longer than that, and says so.
#[cfg(feature = "engines")]
fn shorten(text: &mut String, most: usize) {
    let len = text.len();
    if len > most {
        text.truncate(start_of(text, most).len());
        text.push_str(&format!("… ({len} bytes)"));
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entry) = &self.0.entry {
            write!(f, "child entry `{entry}`: ")?;
        }
        f.write_str(&self.0.message)
    }
}

/// `main` prints the error that it returns with `Debug`, so this is the form for people, with the causes and the
/// child's backtrace; `{:#?}` shows the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f
                .debug_struct("Error")
                .field("kind", &self.0.kind)
                .field("entry", &self.0.entry)
                .field("message", &self.0.message)
                .field("panic", &self.0.panic)
                .field("exit_status", &self.0.exit_status)
                .field("source", &std::error::Error::source(self).map(ToString::to_string))
                .finish();
        }
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        if let Some(backtrace) = self.panic().and_then(Panic::backtrace) {
            write!(f, "\n\nbacktrace of the child:\n{backtrace}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            Some(Source::Local(source) | Source::Remote(source)) => Some(&**source),
            None => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::Encode => io::ErrorKind::InvalidInput,
            ErrorKind::Decode | ErrorKind::Protocol => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// What the system refuses beside a call, as memory for a [`SharedSlice`](crate::SharedSlice) or a file, is an
/// [`ErrorKind::System`] of the same text, so that `?` takes both kinds of errors. An [`Error`] that was made an [`io::Error`]
/// is itself again.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast::<Error>().unwrap_or_else(|error| {
            let message = error.to_string();
            // Its text is said already; what it knows of its causes is not.
            match error.into_inner().and_then(|inner| inner.source().map(RemoteError::new)) {
                Some(cause) => Self::new(ErrorKind::System, message).with_source(cause),
                None => Self::new(ErrorKind::System, message),
            }
        })
    }
}

impl Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (Source::Local(source) | Source::Remote(source)) = self;
        RemoteError::new(&**source).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RemoteError::deserialize(deserializer).map(|error| Source::Remote(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_keeps_its_text_and_causes() {
        let outer = Error::new(ErrorKind::Spawn, "cannot start").with_source(io::Error::from(io::ErrorKind::NotFound));
        let error = Error::from(io::Error::other(Outside(outer)));
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::System, "outside"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "cannot start");
        let plain = Error::from(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!((plain.kind(), plain.to_string().as_str()), (ErrorKind::System, "entity not found"));
        assert!(std::error::Error::source(&plain).is_none());
    }

    #[test]
    fn an_error_comes_back_as_it_was() {
        let error = Error::from(io::Error::from(Error::new(ErrorKind::TimedOut, "too slow").in_entry("work")));
        assert_eq!((error.kind(), error.entry()), (ErrorKind::TimedOut, Some("work")));
    }

    #[derive(Debug)]
    struct Outside(Error);

    impl fmt::Display for Outside {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outside")
        }
    }

    impl std::error::Error for Outside {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
}
