//! Events of `tracing` that happen on nodes, and then here.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use spawnsafe::{ErrorKind, child_entry};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{command, pool};

/// Events, each with the number of its span.
type Events = Vec<(String, u64)>;

/// The events that have happened, and how many spans there are.
#[derive(Clone, Default)]
struct Collects(Arc<Mutex<(Events, u64)>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        *self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Collects {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("spawnsafe") || metadata.target().contains("traced")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        let mut inside = self.0.lock().unwrap();
        inside.1 += 1;
        Id::from_u64(inside.1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = format!("{} {}: ", event.metadata().level(), event.metadata().target());
        event.record(&mut Fields(&mut text));
        self.0.lock().unwrap().0.push((text, event.parent().map_or(0, Id::into_u64)));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[child_entry]
fn tells(x: u64, dies: bool) -> u64 {
    tracing::info!(x, "told");
    if dies {
        std::process::abort();
    }
    x
}

#[test]
fn events_happen_here_within_their_tasks_and_before_their_answers() {
    for forwards in [true, false] {
        let collects = Collects::default();
        tracing::subscriber::with_default(collects.clone(), || {
            let pool = pool(&command(2)).forward_events(forwards).build().unwrap();
            let mut expected = 0;
            for (x, result) in (0..200).zip(pool.map(|x| tells::call(x, x % 50 == 9), 0..200)) {
                match result {
                    Ok(value) => assert!(value == x && x % 50 != 9),
                    Err(error) => assert!(error.kind() == ErrorKind::Signaled && x % 50 == 9, "{error}"),
                }
                expected += usize::from(forwards);
                let inside = collects.0.lock().unwrap();
                let told = |(text, _): &&(String, u64)| text.contains(&format!("x={x} ")) && text.contains("told");
                let found: Vec<&(String, u64)> = inside.0.iter().filter(told).collect();
                assert_eq!(found.len(), usize::from(forwards), "{x}: {:?}", inside.0);
                assert!(found.iter().all(|(text, span)| text.starts_with("INFO ") && *span > 0), "{found:?}");
            }
            assert_eq!(collects.0.lock().unwrap().0.len(), expected);
        });
    }
}
