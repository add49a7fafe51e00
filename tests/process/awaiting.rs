//! Awaiting a child, with feature `tokio`.

use std::future::IntoFuture as _;
use std::time::Duration;

use spawnsafe::{ErrorKind, Stdio, child_entry};
use spawnsafe_tests::is_gone;

#[child_entry]
fn doubles(number: u32) -> u32 {
    number * 2
}

#[child_entry]
fn sleeps(time: Duration) {
    std::thread::sleep(time);
}

#[child_entry]
fn panics() {
    panic!("awaited");
}

#[tokio::test]
async fn a_value() {
    assert_eq!(doubles::spawn(4).unwrap().await.unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_in_tasks() {
    let tasks: Vec<_> =
        (0..20).map(|number| tokio::spawn(async move { doubles::spawn(number).unwrap().await.unwrap() })).collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap() as usize, number * 2);
    }
}

#[tokio::test]
async fn waiting_does_not_block_the_runtime() {
    let mut child = sleeps::call(Duration::from_secs(600)).spawn().unwrap();
    let id = child.id();
    assert!(child.try_join().unwrap().is_none());
    let slow = child.into_future();
    assert_eq!(doubles::spawn(1).unwrap().await.unwrap(), 2);
    assert!(tokio::time::timeout(Duration::from_millis(50), slow).await.is_err());
    assert!(is_gone(id), "dropping the future has killed and reaped the child");
}

#[child_entry]
fn makes(len: usize) -> Vec<u8> {
    vec![1; len]
}

#[tokio::test]
async fn a_long_result() {
    assert_eq!(makes::spawn(64 << 20).unwrap().await.unwrap().len(), 64 << 20);
}

#[tokio::test]
async fn ends() {
    let error = panics::call().stderr(Stdio::null()).spawn().unwrap().await.unwrap_err();
    assert_eq!(error.panic().unwrap().message(), "awaited");
    let error = sleeps::call(Duration::from_secs(600)).timeout(Duration::from_millis(50)).spawn().unwrap().await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
}
