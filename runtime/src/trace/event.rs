//! Events of a child process: as data on their way here, and once more as events.
//!
//! To `tracing` an event is of a place in the program that is there for good. A child's places are not known here, so each
//! is made when its first event comes; filters and formats then see target, level, names and line as in the child. Who
//! sends makes up what is kept, so there may be so many places, with names so long, and no more.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::field::{DisplayValue, Field, FieldSet, Visit};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Level, Metadata, dispatcher, span};
use tracing_core::callsite::{self, Callsite, Identifier};
use tracing_core::metadata::Kind;

use super::Span;
use crate::error::start_of;

/// The most of what an event may have: fields, bytes of a name, and bytes of all its texts together.
const FIELDS: usize = 16;
const NAME: usize = 256;
const TEXT: usize = 8 << 10;

/// How many places may be made. What comes from others is told in words.
const SITES: usize = 1024;

/// An event, as it travels.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    place: Place,
    values: Vec<Value>,
    /// How many events before this one could not be sent.
    lost: u64,
}

/// Where in the program it has happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Place {
    level: u8,
    name: String,
    target: String,
    module: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    fields: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// What its `Debug` or `Display` writes.
    Written(String),
}

/// The levels by their numbers; 0 is none.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

pub(super) fn level_number(level: Level) -> u8 {
    (1..).zip(LEVELS).find(|(_, other)| *other == level).map_or(0, |(number, _)| number)
}

/// The level of this number.
pub(crate) fn level_of(number: u8) -> Option<Level> {
    LEVELS.get(usize::from(number).checked_sub(1)?).copied()
}

impl Event {
    /// More than any has, encoded.
    pub(crate) const MAX_LEN: usize = 64 << 10;

    /// In the child.
    pub(crate) fn of(event: &tracing::Event<'_>, lost: u64) -> Self {
        let metadata = event.metadata();
        let place = Place {
            level: level_number(*metadata.level()),
            name: name(metadata.name()),
            target: name(metadata.target()),
            module: metadata.module_path().map(name),
            file: metadata.file().map(name),
            line: metadata.line(),
            fields: Vec::new(),
        };
        let mut collects = Collects { event: Self { place, values: Vec::new(), lost }, left: TEXT };
        event.record(&mut collects);
        collects.event
    }

    /// That so many were lost.
    pub(crate) fn of_loss(lost: u64) -> Self {
        let text = format!("{lost} events of a child process were lost: nobody took them in time");
        Self { place: Place::unknown(level_number(Level::WARN)), values: vec![Value::Written(text)], lost: 0 }
    }

    /// Whether one of this crate has sent it.
    pub(crate) fn is_sound(&self) -> bool {
        let Place { level: number, name, target, module, file, line: _, fields } = &self.place;
        let mut names = [name, target].into_iter().chain(module).chain(file).chain(fields);
        level_of(*number).is_some()
            && names.all(|name| name.len() <= NAME)
            && fields.len() == self.values.len()
            && fields.len() <= FIELDS
    }

    /// Lets it happen here, within that span.
    pub(crate) fn replay(self, span: &Span) {
        let happen = |(id, dispatch): (&span::Id, &Dispatch)| self.happen(dispatch, Some(id));
        match span.is_heard() {
            true => drop(span.0.with_subscriber(happen)),
            false => dispatcher::get_default(|dispatch| self.happen(dispatch, None)),
        }
    }

    fn happen(&self, dispatch: &Dispatch, parent: Option<&span::Id>) {
        if self.lost > 0 {
            Self::of_loss(self.lost).happen(dispatch, parent);
        }
        if !emit(dispatch, parent, &self.place, &self.values) {
            emit(dispatch, parent, &Place::unknown(self.place.level), &[Value::Written(self.in_words())]);
        }
    }

    fn in_words(&self) -> String {
        let mut text = format!("{}:", self.place.target);
        for (name, value) in self.place.fields.iter().zip(&self.values) {
            let _ = write!(text, " {name}={value}");
        }
        text
    }
}

impl Place {
    /// That of what has none.
    fn unknown(level: u8) -> Self {
        Self {
            level,
            name: "event of a child process".into(),
            target: "spawnsafe::child".into(),
            module: None,
            file: None,
            line: None,
            fields: vec!["message".into()],
        }
    }

    /// Where it is for `tracing`; `None` if there are too many.
    fn site(&self) -> Option<&'static Site> {
        static SITES_MADE: Mutex<Option<HashMap<Place, &'static Site>>> = Mutex::new(None);
        let mut guard = SITES_MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let made = guard.get_or_insert_default();
        if let Some(site) = made.get(self) {
            return Some(site);
        }
        if made.len() >= SITES && *self != Self::unknown(self.level) {
            return None;
        }
        let site = self.make_site()?;
        made.insert(self.clone(), site);
        // It asks the subscriber, whose code may do anything.
        drop(guard);
        callsite::register(site);
        Some(site)
    }

    /// For good: whoever has seen an event may keep where it was.
    fn make_site(&self) -> Option<&'static Site> {
        let leak = |text: &String| -> &'static str { text.clone().leak() };
        let names: Vec<&'static str> = self.fields.iter().map(leak).collect();
        let site: &'static Site = Box::leak(Box::new(Site(OnceLock::new())));
        let metadata = Metadata::new(
            leak(&self.name),
            leak(&self.target),
            level_of(self.level)?,
            self.file.as_ref().map(leak),
            self.line,
            self.module.as_ref().map(leak),
            FieldSet::new(names.leak(), Identifier(site)),
            Kind::EVENT,
        );
        site.0.get_or_init(|| metadata);
        Some(site)
    }
}

/// `false` if there are too many places for one more.
fn emit(dispatch: &Dispatch, parent: Option<&span::Id>, place: &Place, values: &[Value]) -> bool {
    let Some(site) = place.site() else { return false };
    let metadata = site.metadata();
    if !dispatch.enabled(metadata) {
        return true;
    }
    let shown: Vec<Shown<'_>> = values.iter().map(Shown::of).collect();
    let fields: Vec<Field> = metadata.fields().iter().collect();
    let happen = |values| dispatch.event(&tracing::Event::new_child_of(parent.cloned(), metadata, &values));
    match fields.len().checked_sub(1) {
        // There are always as many as it takes an array for: those beyond the last one are that, without a value.
        Some(last) => happen(metadata.fields().value_set(&std::array::from_fn::<_, FIELDS, _>(|at| {
            (&fields[at.min(last)], shown.get(at).map(Shown::value))
        }))),
        None => happen(metadata.fields().value_set::<[(&Field, Option<&dyn tracing::Value>); 0]>(&[])),
    }
    true
}

/// A place that was made.
struct Site(OnceLock<Metadata<'static>>);

impl Site {
    fn metadata(&self) -> &Metadata<'static> {
        self.0.get().expect("it was set when the site was made")
    }
}

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {
        // The subscriber is asked each time.
    }

    fn metadata(&self) -> &Metadata<'_> {
        Self::metadata(self)
    }
}

/// A value in the form in which `tracing` takes it.
enum Shown<'a> {
    Signed(&'a i64),
    Unsigned(&'a u64),
    Float(&'a f64),
    Bool(&'a bool),
    Text(&'a str),
    Written(DisplayValue<&'a str>),
}

impl<'a> Shown<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Signed(value) => Shown::Signed(value),
            Value::Unsigned(value) => Shown::Unsigned(value),
            Value::Float(value) => Shown::Float(value),
            Value::Bool(value) => Shown::Bool(value),
            Value::Text(value) => Shown::Text(value),
            Value::Written(value) => Shown::Written(tracing::field::display(value)),
        }
    }

    fn value(&self) -> &dyn tracing::Value {
        match self {
            Shown::Signed(value) => value,
            Shown::Unsigned(value) => value,
            Shown::Float(value) => value,
            Shown::Bool(value) => value,
            Shown::Text(value) => value,
            Shown::Written(value) => value,
        }
    }
}

/// A name of the program, or the start of it.
fn name(name: &str) -> String {
    start_of(name, NAME).to_owned()
}

/// Takes the fields of an event.
struct Collects {
    event: Event,
    /// How many bytes of texts there may still be.
    left: usize,
}

impl Collects {
    fn add(&mut self, field: &Field, value: Value) {
        let Event { place: Place { fields, .. }, values, .. } = &mut self.event;
        if fields.len() < FIELDS - 1 {
            fields.push(name(field.name()));
            return values.push(value);
        }
        // More than are told one by one.
        if fields.len() < FIELDS {
            fields.push("more".into());
            values.push(Value::Written(String::new()));
        }
        if let Some(Value::Written(more)) = values.last_mut() {
            if more.len() < TEXT {
                let _ = write!(more, "{}={value} ", start_of(field.name(), NAME));
            }
        }
    }

    /// A text, as far as there is room.
    fn written(&mut self, text: fmt::Arguments<'_>) -> String {
        let mut short = Short { text: String::new(), left: self.left };
        // It ends with an error where the room does.
        let is_whole = short.write_fmt(text).is_ok();
        self.left -= short.text.len();
        if !is_whole {
            short.text.push('…');
        }
        short.text
    }
}

impl Visit for Collects {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.written(format_args!("{value}"));
        self.add(field, Value::Text(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = self.written(format_args!("{value:?}"));
        self.add(field, Value::Written(text));
    }
}

/// A text that takes so much and no more: a value may write without end.
struct Short {
    text: String,
    left: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let taken = start_of(text, self.left);
        self.text.push_str(taken);
        self.left -= taken.len();
        if taken.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Signed(value) => value.fmt(f),
            Value::Unsigned(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Bool(value) => value.fmt(f),
            Value::Text(value) | Value::Written(value) => f.write_str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Keeps the events that happen, as data.
    struct Keeps(Arc<Mutex<Vec<Event>>>);

    impl tracing::Subscriber for Keeps {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            self.0.lock().unwrap().push(Event::of(event, 0));
        }
    }

    fn kept(action: impl FnOnce()) -> Vec<Event> {
        let events = Arc::default();
        tracing::subscriber::with_default(Keeps(Arc::clone(&events)), action);
        let mut events = events.lock().unwrap();
        events.drain(..).collect()
    }

    #[test]
    fn an_event_happens_again_as_it_was() {
        let events = kept(|| {
            tracing::info!(count = 3, text = "a b", ratio = 0.5, yes = true, left = -1, what = ?Some(1), "hello {}", 1);
            tracing::error!(target: "elsewhere", "");
            tracing::trace!(last = u64::MAX);
        });
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].place.file.as_deref(), Some(file!()));
        assert!(events.iter().all(Event::is_sound));
        let again = kept(|| {
            for event in kept(|| {
                tracing::info!(count = 3, "hello");
            }) {
                event.replay(&Span(tracing::Span::none()));
            }
        });
        assert_eq!(
            (again[0].place.fields.as_slice(), again[0].values.len()),
            (&["message".into(), "count".into()][..], 2)
        );
        let copies = kept(|| events.iter().for_each(|event| dispatcher::get_default(|to| event.happen(to, None))));
        assert_eq!(copies, events);
    }

    #[test]
    fn what_is_too_much_is_cut() {
        let long = "ä".repeat(TEXT);
        let events = kept(|| {
            tracing::info!(
                a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12, m = 13, n = 14,
                o = 15, p = 16, q = %long, "{long}"
            );
        });
        let event = &events[0];
        assert!(event.is_sound());
        assert_eq!((event.place.fields.len(), event.place.fields[FIELDS - 1].as_str()), (FIELDS, "more"));
        assert!(event.values[FIELDS - 1].to_string().starts_with("o=15 p=16 q=…"), "{:?}", event.values);
        assert_eq!(event.values[0].to_string().len(), TEXT + '…'.len_utf8());
    }

    #[test]
    fn nonsense_is_noticed() {
        let sound = || Event { place: Place::unknown(3), values: vec![Value::Bool(true)], lost: 0 };
        assert!(sound().is_sound());
        for change in [
            |event: &mut Event| event.place.level = 0,
            |event: &mut Event| event.place.level = 6,
            |event: &mut Event| event.place.target = "x".repeat(NAME + 1),
            |event: &mut Event| event.place.fields.clear(),
            |event: &mut Event| {
                event.place.fields = vec!["x".into(); FIELDS + 1];
                event.values = (0..=FIELDS as u64).map(Value::Unsigned).collect();
            },
        ] {
            let mut event = sound();
            change(&mut event);
            assert!(!event.is_sound(), "{event:?}");
        }
    }

    #[test]
    fn places_without_end_are_told_in_words() {
        let events = kept(|| {
            for line in 0..SITES as u32 + 10 {
                let place = Place { line: Some(line), target: "many".into(), ..Place::unknown(3) };
                let event = Event { place, values: vec![Value::Text("x".into())], lost: u64::from(line == 0) };
                event.replay(&Span(tracing::Span::none()));
            }
        });
        assert_eq!(events.len(), SITES + 11);
        assert!(events[0].values[0].to_string().contains("1 events of a child process were lost"));
        let last = events.last().unwrap();
        assert_eq!(
            (last.place.target.as_str(), last.values[0].to_string()),
            ("spawnsafe::child", "many: message=x".into())
        );
    }
}
