//! A guard against values that are nested more deeply than the stack can hold.
//!
//! Encoding and decoding recurse through the user's own `Serialize` and `Deserialize`, so what a level costs is not
//! known here, and a fixed number of levels would be too strict in one program and too lax in another. Instead each
//! level looks at how much of the stack is left.

use super::CodecError;

/// How many levels are free of charge: asking the system for the stack's bounds costs more than a small message.
const UNCHECKED_LEVELS: u32 = 64;

/// What must be left for one more level of the user's code, and for what the codec calls from there.
const RESERVE: usize = 128 << 10;

/// Counts levels, and measures the stack once they become many.
#[derive(Debug)]
pub(super) struct StackGuard {
    level: u32,
    bounds: fn() -> Option<usize>,
    /// The lowest address that may be reached; asked for once.
    end: Option<usize>,
}

/// Levels for a system that cannot tell its stack's bounds: fewer than any default stack of 1 MiB can hold.
const LEVELS_WITHOUT_BOUNDS: u32 = 192;

impl StackGuard {
    #[inline]
    pub(super) fn new(bounds: fn() -> Option<usize>) -> Self {
        Self { level: 0, bounds, end: None }
    }

    pub(super) fn enter(&mut self) -> Result<(), CodecError> {
        self.level += 1;
        if self.level > UNCHECKED_LEVELS && !self.has_room() {
            return Err(CodecError::new(format!(
                "the value is nested {} levels deep, which is more than this thread's stack can hold",
                self.level
            )));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.level -= 1;
    }

    #[inline(never)]
    fn has_room(&mut self) -> bool {
        let end = match self.end {
            Some(end) => end,
            None => match (self.bounds)() {
                Some(end) => *self.end.insert(end),
                None => return self.level <= LEVELS_WITHOUT_BOUNDS,
            },
        };
        let here = &raw const end as usize;
        here.saturating_sub(end) > RESERVE
    }
}
