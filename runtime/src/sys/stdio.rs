//! What a child's standard streams are connected to.

use super::imp::StreamHandle;

/// What a standard stream of a child process is connected to.
///
/// Like [`std::process::Stdio`], which cannot be used here because it does not give out what it holds. The default is
/// [`inherit`](Stdio::inherit) for all three streams. Files and the pipes of another child convert into it.
#[derive(Debug)]
pub struct Stdio(StdioKind);

#[derive(Debug)]
pub(crate) enum StdioKind {
    Inherit,
    Null,
    Piped,
    Handle(StreamHandle),
    /// This process's end of another child's pipe. On Windows such an end is of a kind that no program expects.
    Pipe(StreamHandle),
}

impl Stdio {
    /// The child uses the parent's stream.
    #[must_use]
    pub fn inherit() -> Self {
        Self(StdioKind::Inherit)
    }

    /// The child reads nothing, and what it writes is discarded.
    #[must_use]
    pub fn null() -> Self {
        Self(StdioKind::Null)
    }

    /// The stream is a pipe whose other end is in [`Child`](crate::Child).
    ///
    /// A pipe holds some 64 KiB: a child that writes more waits until the parent reads, so read before
    /// [`join`](crate::Child::join).
    #[must_use]
    pub fn piped() -> Self {
        Self(StdioKind::Piped)
    }

    /// The same once more, for another process.
    pub(crate) fn duplicate(&self) -> std::io::Result<Self> {
        Ok(Self(match &self.0 {
            StdioKind::Inherit => StdioKind::Inherit,
            StdioKind::Null => StdioKind::Null,
            StdioKind::Piped => StdioKind::Piped,
            StdioKind::Handle(handle) => StdioKind::Handle(handle.try_clone()?),
            StdioKind::Pipe(handle) => StdioKind::Pipe(handle.try_clone()?),
        }))
    }

    pub(crate) fn is_piped(&self) -> bool {
        matches!(self.0, StdioKind::Piped)
    }

    #[cfg(feature = "engines")]
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.0, StdioKind::Null)
    }

    /// Whether it is something that only this process has.
    #[cfg(feature = "engines")]
    pub(crate) fn is_handle(&self) -> bool {
        matches!(self.0, StdioKind::Handle(_) | StdioKind::Pipe(_))
    }

    pub(crate) fn kind(&self) -> &StdioKind {
        &self.0
    }
}

impl Default for Stdio {
    fn default() -> Self {
        Self::inherit()
    }
}

macro_rules! from_handles {
    ($kind:ident: $($type:ty),* $(,)?) => {$(
        impl From<$type> for Stdio {
            fn from(stream: $type) -> Self {
                Self(StdioKind::$kind(stream.into()))
            }
        }
    )*};
}

from_handles!(Handle: StreamHandle, std::fs::File);
from_handles!(Pipe: std::process::ChildStdin, std::process::ChildStdout, std::process::ChildStderr);
