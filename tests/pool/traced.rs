//! Children, workers and tasks as spans, and events of workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use spawnsafe::{ErrorKind, Pool, RemoteError};
use spawnsafe_tests::{Collects, eventually, tells_much};

use super::{pool, process_id, square, works, works_within_its_limit};

#[spawnsafe::child_entry]
fn panics() {
    panic!("on purpose");
}

#[test]
fn each_child_and_each_task_is_a_span() {
    let collects = Collects::default();
    let spans = Arc::clone(&collects.spans);
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

#[spawnsafe::child_entry]
fn begins(fails: bool) -> Result<(), RemoteError> {
    tracing::info!("beginning");
    if fails { Err(RemoteError::msg("no model")) } else { Ok(()) }
}

#[test]
fn each_start_of_a_worker_is_a_span() {
    let collects = Collects::default();
    let pool = tracing::subscriber::with_default(collects.clone(), || {
        pool().workers(1).initializer(begins::call(false)).build().unwrap()
    });
    let id = pool.submit(process_id::call()).unwrap().join().unwrap();
    let is_open = |span: &BTreeMap<String, String>| !span.contains_key("closed");
    {
        let spans = collects.spans.lock().unwrap();
        let [worker] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((worker["span"].as_str(), &worker["pid"], is_open(worker)), ("worker", &id.to_string(), true));
        assert!(worker["entry"].contains(begins::NAME) && worker["outcome"].contains("ready"), "{worker:?}");
    }
    drop(pool);
    assert!(!is_open(&collects.spans.lock().unwrap()[0]), "it is closed when the worker has ended");

    let collects = Collects::default();
    let unfit = tracing::subscriber::with_default(collects.clone(), || {
        super::pool().workers(1).initializer(begins::call(true)).build().unwrap()
    });
    let error = unfit.submit(square::call(1)).and_then(spawnsafe::Task::join).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    drop(unfit);
    let spans = collects.spans.lock().unwrap();
    assert_eq!(spans.len(), 5, "{spans:?}");
    assert!(spans.iter().all(|worker| worker["outcome"].contains("no model") && !is_open(worker)), "{spans:?}");
}

const TELLS_AT: u32 = line!() + 4;

#[spawnsafe::child_entry]
fn tells(answer: u64, dies: bool) -> u64 {
    tracing::warn!(answer, name = "a b", ?dies, "the answer is {answer}");
    tracing::debug!(target: "nobody::listens", "to this");
    if dies {
        std::process::abort();
    }
    answer
}

/// A pool whose events go to this subscriber, as do the tasks' spans.
fn listening(collects: &Collects, forwards: bool) -> Pool {
    let build = || pool().initializer(begins::call(false)).forward_events(forwards).build().unwrap();
    tracing::subscriber::with_default(collects.clone(), build)
}

#[test]
fn events_of_tasks_happen_here_within_their_spans() {
    let collects = Collects::default();
    let pool = listening(&collects, true);
    let results: Vec<_> =
        tracing::subscriber::with_default(collects.clone(), || pool.map(|x| tells::call(x, x == 7), 0..20).collect());
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    let spans = collects.spans.lock().unwrap().clone();
    let events = collects.events.lock().unwrap().clone();
    let within = |event: &BTreeMap<String, String>| &spans[event["in"].parse::<usize>().unwrap() - 1];
    // They are there when the results are, also that of the task that has killed its worker.
    let told: Vec<_> = events.iter().filter(|event| event.contains_key("answer")).collect();
    assert_eq!(told.len(), 20, "{events:?}");
    for (x, result) in results.iter().enumerate() {
        let event = told.iter().find(|event| event["answer"] == x.to_string()).unwrap();
        assert_eq!((event["level"].as_str(), event["target"].as_str()), ("WARN", module_path!()));
        assert_eq!(
            (event["name"].as_str(), event["dies"].as_str()),
            ("\"a b\"", if x == 7 { "true" } else { "false" })
        );
        assert_eq!(event["message"], format!("the answer is {x}"));
        assert_eq!(event["line"], TELLS_AT.to_string());
        let span = within(event);
        assert!(span["span"] == "task" && span["entry"].contains(tells::NAME), "{span:?}");
        assert_eq!(span["outcome"].contains("value"), result.is_ok());
    }
    // Each worker has begun, and told of it within its own span.
    let begun: Vec<_> = events.iter().filter(|event| event["message"] == "beginning").collect();
    assert!(begun.len() >= 2 && begun.iter().all(|event| within(event)["span"] == "worker"), "{events:?}");
    assert_eq!(events.len(), told.len() + begun.len(), "what this subscriber does not take does not happen");
    works(&pool);
}

#[test]
fn many_events_are_in_order_and_none_is_lost_unnoticed() {
    const COUNT: u64 = 5000;
    // A subscriber that is not held up hears all or nearly all; the other one loses most of them, and that is known with the result.
    for holds_up in [Duration::ZERO, Duration::from_millis(1500)] {
        let collects = Collects { holds_up, ..Collects::default() };
        let pool = listening(&collects, true);
        let run = || pool.submit(tells_much::call(COUNT)).unwrap().join().unwrap();
        assert_eq!(tracing::subscriber::with_default(collects.clone(), run), COUNT);
        let lost = collects.has_heard(COUNT);
        // On other systems the worker waits.
        assert!(
            lost > 0 || holds_up.is_zero() || !cfg!(target_os = "linux"),
            "the worker did not come to tell all in time"
        );
        // What says that the last ones were lost is of the task as well, and not of what its worker does later.
        let (spans, events) = (collects.spans.lock().unwrap(), collects.events.lock().unwrap());
        for event in events.iter().filter(|event| event["message"].contains("were lost")) {
            assert_eq!(spans[event["in"].parse::<usize>().unwrap() - 1]["span"], "task");
        }
    }
}

#[spawnsafe::child_entry]
fn tells_in_brief(count: u64) {
    (0..count).for_each(|number| tracing::info!(number));
}

/// More of them wait in the connection than are read at once.
#[test]
fn short_events_are_heard_before_the_result() {
    let collects = Collects { holds_up: Duration::from_millis(1500), ..Collects::default() };
    let pool = listening(&collects, true);
    let run = || pool.submit(tells_in_brief::call(1000)).unwrap().join().unwrap();
    tracing::subscriber::with_default(collects.clone(), run);
    collects.has_heard(1000);
    let (spans, events) = (collects.spans.lock().unwrap(), collects.events.lock().unwrap());
    for event in events.iter().filter(|event| event.contains_key("number")) {
        assert_eq!(spans[event["in"].parse::<usize>().unwrap() - 1]["span"], "task", "{event:?}");
    }
}

/// A task that tells without end can be stopped like any other.
#[test]
fn a_task_that_only_tells_is_stopped_in_time() {
    let collects = Collects::default();
    let build = || pool().forward_events(true).task_timeout(Duration::from_millis(300)).build().unwrap();
    let pool = tracing::subscriber::with_default(collects.clone(), build);
    let error = pool.submit(tells_much::call(u64::MAX)).unwrap().join().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    works_within_its_limit(&pool);
}

#[test]
fn events_stay_where_they_are_unless_they_are_wanted() {
    let collects = Collects::default();
    let silent = listening(&collects, false);
    assert_eq!(silent.submit(tells::call(1, false)).unwrap().join().unwrap(), 1);
    assert!(collects.events.lock().unwrap().is_empty());
}

#[cfg(target_os = "linux")]
#[spawnsafe::child_entry]
fn sends_nonsense() {
    use std::io::Write as _;
    // What the connection is called is nobody's business; the first socket is it.
    for fd in 3..64 {
        if let Ok(path) = std::fs::read_link(format!("/proc/self/fd/{fd}")) {
            if path.to_string_lossy().starts_with("socket:") {
                #[allow(unsafe_code)]
                // SAFETY: the descriptor is open, and is to be abused: that is what is tested.
                let mut socket = unsafe { <std::fs::File as std::os::fd::FromRawFd>::from_raw_fd(fd) };
                let mut frame = b"spw\x01\x09\0\0\0".to_vec();
                frame.extend_from_slice(&12_u64.to_le_bytes());
                frame.extend_from_slice(&[0xff; 12]);
                socket.write_all(&frame).unwrap();
                std::mem::forget(socket);
            }
        }
    }
    std::thread::sleep(Duration::from_secs(600));
}

#[cfg(target_os = "linux")]
#[test]
fn an_event_that_is_none_ends_its_worker() {
    let collects = Collects::default();
    for forwards in [true, false] {
        let pool = listening(&collects, forwards);
        let error = pool.submit(sends_nonsense::call()).unwrap().join().unwrap_err();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Protocol, Some(sends_nonsense::NAME)), "{error}");
        works(&pool);
    }
}
