//! Awaiting tasks, in an executor of each kind.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use spawnsafe::{ErrorKind, Task, child_entry};
use spawnsafe_tests::{eventually, kill};

use super::{KILLED, begins_and_waits, pool, sleeps, square, works, written_id};

/// The least of executors: a thread that sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unparks(Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn poll_once<R>(task: &mut Task<R>) -> Poll<Result<R, spawnsafe::Error>> {
    pin!(task).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_task_is_awaited() {
    let pool = pool().build().unwrap();
    // The first waits in the queue until there are workers; the others are given to idle ones directly.
    for x in 0..200 {
        assert_eq!(block_on(pool.submit(square::call(x)).unwrap()).unwrap(), x * x);
    }
    let tasks: Vec<_> = (0..200).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    for (x, task) in (0..).zip(tasks) {
        assert_eq!(block_on(task).unwrap(), x * x);
    }
}

#[child_entry]
fn panics() {
    panic!("awaited");
}

#[test]
fn an_error_is_awaited() {
    let pool = pool().build().unwrap();
    let error = block_on(pool.submit(panics::call()).unwrap()).unwrap_err();
    assert_eq!(error.panic().unwrap().message(), "awaited");
    let dir = tempfile::tempdir().unwrap();
    let (begun, never) = (dir.path().join("begun"), dir.path().join("never"));
    let task = pool.submit(begins_and_waits::call(&begun, &never)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| kill(written_id(&begun)));
        assert_eq!(block_on(task).unwrap_err().kind(), KILLED);
    });
    works(&pool);
}

#[test]
fn waiting_can_be_given_up_and_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool().build().unwrap();
    let mut task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    assert!(poll_once(&mut task).is_pending());
    let id = written_id(&begun);
    assert!(poll_once(&mut task).is_pending());
    assert!(task.try_join().unwrap().is_none());
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(block_on(&mut task).unwrap(), id);
    assert_eq!(block_on(&mut task).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn dropping_the_future_lets_the_task_run_and_cancelling_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool().build().unwrap();
    let mut task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    assert!(poll_once(&mut task).is_pending());
    drop(task);
    std::fs::write(&go_on, "").unwrap();
    eventually("it ends", || (pool.figures().done == 1).then_some(()));

    let mut task = pool.submit(sleeps::call(600_000)).unwrap();
    assert!(poll_once(&mut task).is_pending());
    task.cancel();
    assert_eq!(block_on(task).unwrap_err().kind(), ErrorKind::Cancelled);
    works(&pool);
}

#[test]
fn a_pool_that_is_dropped_wakes_whoever_awaits() {
    let pool = pool().build().unwrap();
    let task = pool.submit(sleeps::call(600_000)).unwrap();
    std::thread::scope(|scope| {
        let awaited = scope.spawn(move || block_on(task));
        drop(pool);
        assert_eq!(awaited.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    });
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn within_tokio() {
    let pool = pool().build().unwrap();
    let tasks: Vec<_> = (0..50).map(|x| tokio::spawn(pool.submit(square::call(x)).unwrap())).collect();
    for (x, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap().unwrap(), x * x);
    }
    let mut long = pool.submit(sleeps::call(600_000)).unwrap();
    tokio::select! {
        _ = &mut long => panic!("it takes ten minutes"),
        squared = pool.submit(square::call(3)).unwrap() => assert_eq!(squared.unwrap(), 9),
    }
    long.cancel();
    assert_eq!(long.await.unwrap_err().kind(), ErrorKind::Cancelled);
}
