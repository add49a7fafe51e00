//! A worker that is a script: which answers are taken for which tasks, and what ends it.

use std::sync::Arc;

use super::{Driver, End};
use crate::inherit::Values;
use crate::launch::Launched;
use crate::launch::mock::{Event, Mock};
use crate::link::{Outbox, Ring};
use crate::pool::job::{Bundle, Job};
use crate::pool::letters::{Content, Deliveries};
use crate::registry::{Entry, Origin};
use crate::sys::OwnedHandle;
use crate::sys::Piped;
use crate::trace::Span;
use crate::wire::{AnswerHead, Kind, Packed};

static ENTRY: Entry = Entry::new(
    "entry",
    ("entry in a file", 1, 1),
    Origin { named: false, anonymous: false, tested: false, retries: 0 },
    |_| unreachable!(),
);

/// That many tasks, which the mailbox knows by numbers from `first` on.
fn job(first: u64, count: u64, values: &Arc<Values>) -> Job {
    let mut bundle = Bundle::new((&ENTRY, 0), (&Arc::default(), values), first, 1);
    (0..count).for_each(|number| bundle.push(&[number as u8; 3]));
    bundle.into_job(0)
}

fn answer(task: u64) -> Event {
    let head = AnswerHead { task, failed: false }.encode();
    let mut outbox = Outbox::new(Kind::Answer, &head, Packed { items: vec![task as u8], ..Packed::default() });
    let mut bytes = Vec::new();
    while !outbox.is_empty() {
        let write = |pieces: &[std::io::IoSlice<'_>], _: &[&OwnedHandle]| {
            bytes.extend_from_slice(&pieces[0]);
            Ok(pieces[0].len())
        };
        outbox.pump(write).unwrap();
    }
    Event::Bytes(bytes)
}

/// A worker that sends these answers to tasks 0 to 2 and 3 to 7, which the mailbox knows by 10 to 12 and 20 to 24.
fn turn(answers: &[u64]) -> (Driver, Result<Vec<u64>, End>) {
    let (peer, _) = Mock::scripted(answers.iter().map(|&task| answer(task)), usize::MAX);
    let launched = Launched { peer, piped: Piped::default(), outbox: Outbox::default(), shared: None };
    let values = Arc::new(Values::default());
    let mut driver = Driver::new(launched, Arc::clone(&values), Span::worker(None), false);
    assert!(driver.give(&mut vec![job(10, 3, &values), job(20, 5, &values)]));
    let mut deliveries = Deliveries::new();
    let turned = driver.turn(&mut deliveries, false);
    let numbers = turned.map(|_| {
        let letters = deliveries.iter().map(|delivery| &delivery.letter);
        letters.inspect(|letter| assert_eq!(letter.count, 1)).map(|letter| letter.first).collect()
    });
    (driver, numbers)
}

#[test]
fn answers_in_any_order_are_for_their_tasks() {
    for (answers, numbers) in [
        (&[0, 1, 2, 3][..], &[10, 11, 12, 20][..]),
        (&[2, 0, 1], &[12, 10, 11]),
        (&[5, 3, 7, 4, 0, 2], &[22, 20, 24, 21, 10, 12]),
        (&[7, 6, 5, 4, 3, 2, 1, 0], &[24, 23, 22, 21, 20, 12, 11, 10]),
    ] {
        let (driver, found) = turn(answers);
        assert_eq!((driver.open(), driver.answered()), (8 - answers.len(), answers.len() as u64));
        assert_eq!(found.unwrap(), numbers);
    }
}

#[test]
fn an_answer_to_no_task_ends_the_worker() {
    for answers in [&[8][..], &[u64::MAX], &[0, 0], &[4, 3, 4], &[2, 1, 0, 1]] {
        let (_, found) = turn(answers);
        assert!(matches!(found, Err(End::Garbage(_))), "{answers:?}: {found:?}");
    }
}

#[test]
fn the_task_that_ran_is_the_one_that_fails() {
    // Without shared memory the first of those that are open has begun.
    let (mut driver, _) = turn(&[0, 4]);
    let mut deliveries = Deliveries::new();
    let again = driver.settle(&End::LostConnection, None, &mut deliveries);
    assert!(matches!(deliveries[0].letter.content, Content::Failed(_)));
    assert_eq!((deliveries.len(), deliveries[0].letter.first), (1, 11));
    let numbers: Vec<Vec<u8>> = again.iter().map(|job| job.records().to_vec()).collect();
    assert_eq!(numbers, [vec![3, 2, 2, 2], vec![3, 0, 0, 0], [[3, 2, 2, 2], [3, 3, 3, 3], [3, 4, 4, 4]].concat()]);
}

#[test]
fn what_has_not_begun_is_taken_back() {
    let Some(shared) = Ring::memory() else { return };
    let (peer, _) = Mock::scripted([], usize::MAX);
    let launched = Launched { peer, piped: Piped::default(), outbox: Outbox::default(), shared: Some(shared) };
    let values = Arc::new(Values::default());
    let mut driver = Driver::new(launched, Arc::clone(&values), Span::worker(None), false);
    assert!(driver.give(&mut vec![job(10, 3, &values), job(20, 5, &values)]));
    // It has begun the first of the second job.
    let ring = driver.ring.as_ref().unwrap();
    assert!((0..4).all(|task| ring.begin(task)));
    let back = driver.take_back();
    assert_eq!((driver.open(), driver.given()), (4, 4));
    assert_eq!(back.iter().map(|job| (job.bundle.first, job.len())).collect::<Vec<_>>(), [(20, 4)]);
    assert!(driver.take_back().is_empty());
    // The numbers are used up: tasks that are given now have others.
    assert!(driver.give(&mut vec![job(30, 1, &values)]));
    assert_eq!(driver.flight.back().unwrap().number, 8);
}
