//! Children and tasks as spans.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use spawnsafe_tests::eventually;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{pool, process_id, square};

/// The fields of each span, with its name under "span", and whether it was closed.
type Spans = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

struct Collects(Spans);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Collects {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("spawnsafe")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        let mut fields = BTreeMap::from([("span".to_owned(), span.metadata().name().to_owned())]);
        span.record(&mut Fields(&mut fields));
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.0.lock().unwrap();
        values.record(&mut Fields(&mut spans[span.into_u64() as usize - 1]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn try_close(&self, span: Id) -> bool {
        self.0.lock().unwrap()[span.into_u64() as usize - 1].insert("closed".into(), String::new());
        true
    }
}

#[spawnsafe::child_entry]
fn panics() {
    panic!("on purpose");
}

#[test]
fn each_child_and_each_task_is_a_span() {
    let spans = Spans::default();
    let collects = Collects(Arc::clone(&spans));
    let pool = pool().build().unwrap();
    let (in_pool, in_child) = tracing::subscriber::with_default(collects, || {
        let in_pool = pool.submit(process_id::call()).unwrap().join().unwrap();
        pool.submit(panics::call()).unwrap().join().unwrap_err();
        (in_pool, process_id::run().unwrap())
    });
    assert_eq!(pool.submit(square::call(2)).unwrap().join().unwrap(), 4);
    eventually("all are closed", || spans.lock().unwrap().iter().all(|span| span.contains_key("closed")).then_some(()));
    let spans = spans.lock().unwrap();
    assert_eq!(spans.len(), 3, "{spans:?}");
    let is = |span: &BTreeMap<String, String>, name: &str, entry: &str, pid: u32| {
        assert_eq!((span["span"].as_str(), span["entry"].trim_matches('"')), (name, entry));
        assert!(pid == 0 || span["pid"] == pid.to_string());
    };
    is(&spans[0], "task", process_id::NAME, in_pool);
    is(&spans[1], "task", panics::NAME, 0);
    is(&spans[2], "child", process_id::NAME, in_child);
    assert!(spans[0]["outcome"].contains("value") && spans[1]["outcome"].contains("on purpose"), "{spans:?}");
}
