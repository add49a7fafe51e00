//! Spans of children and tasks, with feature `tracing`; without it, nothing at all.

/// What is told of one child, or one task of a pool, from its start to its end.
#[derive(Debug)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

#[cfg(feature = "tracing")]
impl Span {
    /// A child process that runs one entry.
    pub(crate) fn child(entry: &'static str) -> Self {
        Self(tracing::info_span!("child", entry, pid = tracing::field::Empty, outcome = tracing::field::Empty))
    }

    /// A task of a pool.
    pub(crate) fn task(entry: &'static str) -> Self {
        Self(tracing::info_span!("task", entry, pid = tracing::field::Empty, outcome = tracing::field::Empty))
    }

    /// It is with this process; the last one counts.
    pub(crate) fn runs_in(&self, process: u32) {
        self.0.record("pid", process);
    }

    /// It has ended with a value, or with this error.
    pub(crate) fn ends(&self, error: Option<&crate::error::Error>) {
        match error {
            None => self.0.record("outcome", "value"),
            Some(error) => self.0.record("outcome", tracing::field::display(error)),
        };
    }
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) fn child(_: &'static str) -> Self {
        Self()
    }

    pub(crate) fn task(_: &'static str) -> Self {
        Self()
    }

    pub(crate) fn runs_in(&self, _: u32) {}

    pub(crate) fn ends(&self, _: Option<&crate::error::Error>) {}
}
