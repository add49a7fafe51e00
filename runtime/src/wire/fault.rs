//! What can go wrong while values become bytes and back, and where in a call it did.

use std::fmt;

/// A value that could not be encoded, or bytes that could not be decoded.
#[derive(Debug)]
pub struct CodecError(String);

impl CodecError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A failure of the codec with the part of a call that it concerns.
#[derive(Debug)]
pub struct Fault {
    pub(crate) phase: Phase,
    pub(crate) error: CodecError,
}

/// The part of a call in which a value was packed or unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The argument of this name, or what follows the last one.
    Argument(&'static str),
    /// What the entry returned.
    Result,
}

impl Fault {
    /// An argument that could not be packed or unpacked.
    pub fn argument(name: &'static str, error: CodecError) -> Self {
        Self { phase: Phase::Argument(name), error }
    }

    /// A result that could not be packed.
    pub fn result(error: CodecError) -> Self {
        Self { phase: Phase::Result, error }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Phase::Argument(name) => write!(f, "argument `{name}`: {}", self.error),
            Phase::Result => write!(f, "{}", self.error),
        }
    }
}
