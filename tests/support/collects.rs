//! What `tracing` tells, kept for looking at it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The fields of each span, with its name under "span", and whether it was closed.
type Spans = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// Events, with the number of their span under "in".
type Events = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// A subscriber that keeps what it is told, of this library and of tests that are called `traced`.
#[derive(Clone, Debug, Default)]
pub struct Collects {
    /// What was begun.
    pub spans: Spans,
    /// What has happened.
    pub events: Events,
    /// Up to which level it listens, if it says so.
    pub level: Option<LevelFilter>,
    /// How long it keeps whoever tells it of the first event of [`tells_much()`].
    pub holds_up: Duration,
}

impl Collects {
    /// Checks that what [`tells_much()`] has told so many times has come in order, and that what was lost is said to be. Gives
    /// how many those are.
    ///
    /// # Panics
    /// If it is otherwise.
    #[track_caller]
    pub fn has_heard(&self, count: u64) -> u64 {
        let (numbers, lost) = self.numbers_and_lost();
        assert!(numbers.is_sorted());
        // Some dozens wait for whoever does not look.
        assert!(numbers.len() > 2 && numbers.len() as u64 + lost == count, "{} and {lost}", numbers.len());
        lost
    }

    /// The field `number` of all events that have one, in order, and how many events are said to be lost.
    fn numbers_and_lost(&self) -> (Vec<u64>, u64) {
        let events = self.events.lock().unwrap();
        let numbers = events.iter().filter_map(|event| event.get("number")?.parse().ok()).collect();
        let lost = |event: &BTreeMap<String, String>| {
            let text = event.get("message")?;
            text.strip_suffix(" events of a child process were lost: nobody took them in time")?.parse::<u64>().ok()
        };
        (numbers, events.iter().filter_map(lost).sum())
    }
}

/// Tells so many events, each with its number.
#[spawnsafe::child_entry]
pub fn tells_much(count: u64) -> u64 {
    for number in 0..count {
        tracing::info!(number, text = "x".repeat(1000), "much");
    }
    count
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Collects {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("spawnsafe") || metadata.target().contains("traced")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.spans.lock().unwrap();
        let mut fields = BTreeMap::from([("span".to_owned(), span.metadata().name().to_owned())]);
        span.record(&mut Fields(&mut fields));
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.spans.lock().unwrap();
        values.record(&mut Fields(&mut spans[span.into_u64() as usize - 1]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = BTreeMap::from([
            ("target".to_owned(), metadata.target().to_owned()),
            ("level".to_owned(), metadata.level().to_string()),
            ("line".to_owned(), metadata.line().unwrap_or(0).to_string()),
        ]);
        fields.extend(event.parent().map(|id| ("in".to_owned(), id.into_u64().to_string())));
        event.record(&mut Fields(&mut fields));
        let is_first = fields.get("number").is_some_and(|number| number == "0");
        self.events.lock().unwrap().push(fields);
        if is_first {
            std::thread::sleep(self.holds_up);
        }
    }

    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn try_close(&self, span: Id) -> bool {
        self.spans.lock().unwrap()[span.into_u64() as usize - 1].insert("closed".into(), String::new());
        true
    }
}
