//! `async` entries, with feature `tokio`.

use std::time::{Duration, Instant};

use spawnsafe::{ErrorKind, RemoteError, Stdio, call, child_entry, spawn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[child_entry]
async fn sleeps(text: &str, millis: u64) -> String {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    text.to_uppercase()
}

#[child_entry]
async fn echoes(bytes: Vec<u8>) -> Result<Vec<u8>, RemoteError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await?;
        stream.write_all(&received).await
    });
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(&bytes).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    server.await.map_err(|error| RemoteError::from(std::io::Error::other(error)))??;
    Ok(answer)
}

#[child_entry]
async fn threads() -> (String, bool) {
    let flavor = tokio::runtime::Handle::current().runtime_flavor();
    let own = std::thread::current().id();
    let task = tokio::spawn(async { std::thread::current().id() }).await.unwrap();
    (format!("{flavor:?}"), own == task)
}

#[child_entry(flavor = "multi_thread", worker_threads = 3)]
async fn three_threads() -> (String, usize) {
    let handle = tokio::runtime::Handle::current();
    (format!("{:?}", handle.runtime_flavor()), handle.metrics().num_workers())
}

#[child_entry(flavor = "multi_thread", worker_threads = 1)]
async fn meet() -> bool {
    // Each waits for the other without yielding to the runtime: that takes two threads.
    let here = std::sync::Arc::new(std::sync::Barrier::new(2));
    let there = here.clone();
    let task = tokio::spawn(async move { there.wait() });
    here.wait();
    task.await.is_ok()
}

#[child_entry]
async fn panics() {
    tokio::task::yield_now().await;
    panic!("in the entry");
}

#[child_entry]
async fn task_panics() -> Option<String> {
    let error = tokio::spawn(async { panic!("in a task") }).await.err()?;
    let payload = error.try_into_panic().ok()?;
    payload.downcast_ref::<&str>().map(ToString::to_string)
}

#[child_entry]
async fn awaits_grandchild(x: u32) -> u32 {
    let (one, other) = (awaits_nothing::spawn(x).unwrap(), awaits_nothing::spawn(x + 1).unwrap());
    let (one, other) = tokio::join!(one.into_future(), other.into_future());
    one.unwrap() + other.unwrap()
}

#[child_entry]
async fn awaits_nothing(x: u32) -> u32 {
    x * 10
}

#[child_entry(instantiate(T = u32), instantiate(T = String))]
async fn generic<T: Clone>(value: &T) -> (T, T) {
    tokio::task::yield_now().await;
    (value.clone(), value.clone())
}

/// A task that is still at work when the entry returns.
#[child_entry]
async fn leaves_work_behind() -> u32 {
    let (started, starts) = std::sync::mpsc::channel();
    tokio::task::spawn_blocking(move || {
        started.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(600));
    });
    starts.recv().unwrap();
    7
}

#[test]
fn time_and_net() {
    assert_eq!(sleeps::run("text", 1).unwrap(), "TEXT");
    assert_eq!(echoes::run(b"bytes".to_vec()).unwrap().unwrap(), b"bytes");
}

#[test]
fn flavors() {
    assert_eq!(threads::run().unwrap(), ("CurrentThread".into(), true));
    assert_eq!(three_threads::run().unwrap(), ("MultiThread".into(), 3));
    assert!(meet::run().unwrap());
}

#[test]
fn panics_in_entry_and_task() {
    let error = panics::call().stderr(Stdio::null()).run().unwrap_err();
    assert_eq!((error.kind(), error.panic().unwrap().message()), (ErrorKind::Panicked, "in the entry"));
    assert_eq!(task_panics::call().stderr(Stdio::null()).run().unwrap().unwrap(), "in a task");
}

#[test]
fn what_is_not_awaited_does_not_hold_up_the_answer() {
    let start = Instant::now();
    assert_eq!(leaves_work_behind::run().unwrap(), 7);
    assert!(start.elapsed() < Duration::from_secs(300));
}

#[test]
fn generic_ones_and_closures() {
    assert_eq!(generic::run(&1u32).unwrap(), (1, 1));
    assert_eq!(generic::run(&"a".to_owned()).unwrap(), ("a".into(), "a".into()));
    let sleeps = spawn!(async |x: u32| -> u32 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        x + 1
    });
    assert_eq!(sleeps(1).unwrap().join().unwrap(), 2);
    assert_eq!(call!(async || tokio::task::yield_now().await)().run().unwrap(), ());
}

#[tokio::test]
async fn in_process_it_is_an_ordinary_async_function() {
    assert_eq!(sleeps("text", 1).await, "TEXT");
    assert_eq!(sleeps::spawn("text", 1).unwrap().await.unwrap(), "TEXT");
    assert_eq!(awaits_grandchild::spawn(1).unwrap().await.unwrap(), awaits_grandchild(1).await);
}

#[tokio::test]
async fn waiting_can_be_given_up_and_taken_up_again() {
    let mut child = sleeps::spawn("text", 300).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut child).await.is_err());
    assert_eq!((&mut child).await.unwrap(), "TEXT");
    assert_eq!((&mut child).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(child.await.unwrap_err().kind(), ErrorKind::Closed);

    let mut long = sleeps::spawn("text", 600_000).unwrap();
    tokio::select! {
        result = &mut long => panic!("{result:?}"),
        () = tokio::time::sleep(Duration::from_millis(1)) => long.kill().unwrap(),
    }
    assert_eq!(long.await.unwrap_err().kind(), ErrorKind::Cancelled);
}
