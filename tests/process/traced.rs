//! Events of children, which happen here within the children's spans.

use std::time::{Duration, Instant};

use spawnsafe::{Error, ErrorKind, Pool, Sender, Stdio, child_entry};
use spawnsafe_tests::{Collects, DEADLINE, eventually, tells_much};

#[child_entry]
fn tells(answer: u64, dies: bool) -> u64 {
    tracing::warn!(answer, "the answer is {answer}");
    tracing::debug!(target: "nobody::listens", "to this");
    if dies {
        std::process::abort();
    }
    answer
}

#[test]
fn events_happen_here_within_the_span_of_the_child() {
    let collects = Collects::default();
    let ended = tracing::subscriber::with_default(collects.clone(), || {
        let crashed = tells::call(1, true).forward_events(true).run();
        let silent = tells::call(2, false).run();
        let joined = tells::call(3, false).forward_events(true).spawn().unwrap().join();
        let asked = eventually("it is there", {
            let mut child = tells::call(4, false).forward_events(true).spawn().unwrap();
            move || child.try_join().unwrap()
        });
        [crashed.is_err(), silent.is_ok(), joined.is_ok(), asked == 4]
    });
    assert_eq!(ended, [true; 4]);
    let spans = collects.spans.lock().unwrap();
    let events = collects.events.lock().unwrap();
    let told: Vec<_> = events.iter().map(|event| (event["answer"].as_str(), event["in"].as_str())).collect();
    assert_eq!(told, [("1", "1"), ("3", "3"), ("4", "4")], "{events:?}");
    assert!(spans.iter().all(|span| span["span"] == "child" && span["entry"].contains(tells::NAME)), "{spans:?}");
    assert_eq!((events[0]["level"].as_str(), events[0]["target"].as_str()), ("WARN", module_path!()));
    assert_eq!(events[0]["message"], "the answer is 1");
}

#[test]
fn many_events_are_in_order_and_none_is_lost_unnoticed() {
    const COUNT: u64 = 2000;
    let collects = Collects::default();
    let run = || tells_much::call(COUNT).forward_events(true).run().unwrap();
    assert_eq!(tracing::subscriber::with_default(collects.clone(), run), COUNT);
    collects.has_heard(COUNT);
}

#[child_entry]
fn tells_and_sends(count: u64, to: Sender<u64>, dies: bool) -> Result<(), Error> {
    tells_much(count);
    to.send(count)?;
    if dies {
        // A panic while another one unwinds: what was lost before it is said with its last words.
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("twice");
            }
        }
        let _panics = Panics;
        panic!("once");
    }
    Ok(())
}

#[test]
fn a_child_that_nobody_joins_goes_on_and_says_what_was_lost() {
    const COUNT: u64 = 5000;
    for dies in [false, true] {
        let collects = Collects::default();
        tracing::subscriber::with_default(collects.clone(), || {
            let (to, from) = spawnsafe::channel().unwrap();
            let call = tells_and_sends::call(COUNT, to, dies).stderr(Stdio::null());
            let child = call.forward_events(true).spawn().unwrap();
            assert_eq!(from.recv_timeout(DEADLINE).unwrap(), Some(COUNT));
            match child.join() {
                Ok(result) => result.unwrap(),
                Err(error) => assert!(dies && error.kind() == ErrorKind::Panicked, "{error}"),
            }
        });
        let lost = collects.has_heard(COUNT);
        assert!(lost > 0, "the connection has room for all of them: this tests nothing");
    }
}

#[test]
fn a_child_that_only_tells_is_ended_in_time_and_joining_is_not_held_up() {
    let collects = Collects::default();
    let begun = Instant::now();
    tracing::subscriber::with_default(collects.clone(), || {
        let limited = tells_much::call(u64::MAX).forward_events(true).timeout(Duration::from_millis(300)).run();
        assert_eq!(limited.unwrap_err().kind(), ErrorKind::TimedOut);
        let mut child = tells_much::call(u64::MAX).forward_events(true).spawn().unwrap();
        for _ in 0..10 {
            assert!(child.try_join().unwrap().is_none());
        }
        child.kill().unwrap();
        assert_eq!(child.join().unwrap_err().kind(), ErrorKind::Cancelled);
    });
    assert!(begun.elapsed() < DEADLINE);
}

#[test]
fn in_a_pool_it_is_for_the_builder() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let error = pool.submit(tells::call(1, false).forward_events(true)).unwrap_err();
    assert!(error.to_string().contains("forward_events"), "{error}");
}
