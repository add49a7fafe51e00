//! Spans of children, workers and tasks, and events of child processes, with feature `tracing`; without it, nothing at all.

#[cfg(feature = "tracing")]
mod event;

#[cfg(feature = "tracing")]
pub(crate) use event::{Event, level_of};

/// What is told of one child, one worker or one task of a pool, from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

/// Events that have come, each with the span that it belongs to. They happen when no lock is held: what a subscriber does
/// is the user's.
#[derive(Debug, Default)]
pub(crate) struct Heard(#[cfg(feature = "tracing")] Vec<(Span, Event)>);

/// Who is told: the subscriber of a thread, for another one that works for it.
#[derive(Debug)]
pub(crate) struct Listener(#[cfg(feature = "tracing")] tracing::Dispatch);

/// Whether events of children are to happen here: by default not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Forwards(#[cfg(feature = "tracing")] pub(crate) bool);

impl Forwards {
    /// Up to which level a child that is started now tells its events, which is up to where anybody here listens; 0 is none.
    pub(crate) fn level(self) -> u8 {
        #[cfg(feature = "tracing")]
        if self.0 {
            let level = tracing::level_filters::LevelFilter::current().into_level();
            return level.map_or(0, event::level_number);
        }
        0
    }
}

#[cfg(feature = "tracing")]
impl Span {
    /// A child process that runs one entry.
    pub(crate) fn child(entry: &'static str) -> Self {
        Self(tracing::info_span!("child", entry, pid = tracing::field::Empty, outcome = tracing::field::Empty))
    }

    /// A worker of a pool, which begins with that entry, if any.
    pub(crate) fn worker(initializer: Option<&'static str>) -> Self {
        let entry = initializer.unwrap_or_default();
        Self(tracing::info_span!("worker", entry, pid = tracing::field::Empty, outcome = tracing::field::Empty))
    }

    /// A task of a pool.
    pub(crate) fn task(entry: &'static str) -> Self {
        Self(tracing::info_span!("task", entry, pid = tracing::field::Empty, outcome = tracing::field::Empty))
    }

    /// None: what happens in it happens for whoever listens on this thread.
    #[cfg(feature = "engines")]
    pub(crate) fn none() -> Self {
        Self(tracing::Span::none())
    }

    /// It is with this process; the last one counts.
    pub(crate) fn runs_in(&self, process: u32) {
        self.0.record("pid", process);
    }

    /// It has ended with a value, or with this error.
    pub(crate) fn ends(&self, error: Option<&crate::error::Error>) {
        self.comes_to("value", error);
    }

    /// The worker is ready, or is not and never will be.
    pub(crate) fn begins(&self, error: Option<&crate::error::Error>) {
        self.comes_to("ready", error);
    }

    /// Whether anybody listens. A span is made even where nobody does, if somebody does on another thread.
    pub(crate) fn is_heard(&self) -> bool {
        let has_subscriber = |dispatch: &tracing::Dispatch| !dispatch.is::<tracing::subscriber::NoSubscriber>();
        self.0.with_subscriber(|(_, dispatch)| has_subscriber(dispatch)).unwrap_or(false)
    }

    fn comes_to(&self, good: &'static str, error: Option<&crate::error::Error>) {
        match error {
            None => self.0.record("outcome", good),
            Some(error) => self.0.record("outcome", tracing::field::display(error)),
        };
    }
}

#[cfg(feature = "tracing")]
impl Heard {
    pub(crate) fn push(&mut self, span: Span, event: Event) {
        self.0.push((span, event));
    }

    /// Lets them happen.
    pub(crate) fn tell(self) {
        self.0.into_iter().for_each(|(span, event)| event.replay(&span));
    }
}

#[cfg(feature = "tracing")]
impl Listener {
    /// That of this thread.
    pub(crate) fn here() -> Self {
        Self(tracing::dispatcher::get_default(Clone::clone))
    }

    /// Does something, and it is told of it.
    pub(crate) fn told_of(&self, action: impl FnOnce()) {
        // Where there is none now there may be one for the whole program later.
        match self.0.is::<tracing::subscriber::NoSubscriber>() {
            true => action(),
            false => tracing::dispatcher::with_default(&self.0, action),
        }
    }
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) fn child(_: &'static str) -> Self {
        Self()
    }

    pub(crate) fn worker(_: Option<&'static str>) -> Self {
        Self()
    }

    pub(crate) fn task(_: &'static str) -> Self {
        Self()
    }

    pub(crate) fn runs_in(&self, _: u32) {}

    pub(crate) fn ends(&self, _: Option<&crate::error::Error>) {}

    pub(crate) fn begins(&self, _: Option<&crate::error::Error>) {}
}

#[cfg(not(feature = "tracing"))]
impl Heard {
    pub(crate) fn tell(self) {}
}

#[cfg(not(feature = "tracing"))]
impl Listener {
    pub(crate) fn here() -> Self {
        Self()
    }

    pub(crate) fn told_of(&self, action: impl FnOnce()) {
        action();
    }
}
