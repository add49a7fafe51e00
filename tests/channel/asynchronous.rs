//! Channels within a tokio runtime.

use std::time::Duration;

use spawnsafe::{ErrorKind, Receiver, Sender, channel, child_entry};

use super::{counts, sums};

#[tokio::test]
async fn from_and_to_a_child() {
    let (sender, receiver) = channel().unwrap();
    let child = counts::spawn(sender, 0, 5000).unwrap();
    let receiver = receiver.into_async().unwrap();
    for number in 0..5000 {
        assert_eq!(receiver.recv().await.unwrap(), number);
    }
    assert_eq!(receiver.recv().await.unwrap_err().kind(), ErrorKind::Closed);
    child.await.unwrap().unwrap();

    let (sender, receiver) = channel().unwrap();
    let child = sums::spawn(receiver).unwrap();
    let sender = sender.into_async().unwrap();
    for number in 0..5000 {
        sender.send(number).await.unwrap();
    }
    drop(sender);
    assert_eq!(child.await.unwrap().unwrap(), 12_497_500);
}

#[tokio::test]
async fn waiting_does_not_block_the_runtime() {
    let (sender, receiver) = channel::<Vec<u8>>().unwrap();
    let (sender, receiver) = (sender.into_async().unwrap(), receiver.into_async().unwrap());
    let sending = async {
        for len in [10, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 50_000, 3 << 20]
        {
            sender.send(vec![1; len]).await.unwrap();
        }
        drop(sender);
    };
    let receiving = async {
        let mut sum = 0;
        loop {
            match receiver.recv().await {
                Ok(message) => sum += message.len(),
                Err(error) => break (sum, error.kind()),
            }
        }
    };
    let ((), (sum, end)) = tokio::join!(sending, receiving);
    assert_eq!((sum, end), (10 + 11 * 50_000 + (3 << 20), ErrorKind::Closed));
}

/// Each future is dropped when it has waited for a while, and nothing is lost or sent twice.
#[tokio::test]
async fn futures_can_be_dropped() {
    let (sender, receiver) = channel::<(u32, Vec<u8>)>().unwrap();
    let (sender, receiver) = (sender.into_async().unwrap(), receiver.into_async().unwrap());
    let brief = Duration::from_micros(200);
    let sending = async {
        let mut sent = Vec::new();
        for number in 0..400 {
            let len = if number % 10 == 0 { 100_000 } else { 5000 };
            if let Ok(done) = tokio::time::timeout(brief, sender.send((number, vec![0; len]))).await {
                done.unwrap();
                sent.push(number);
            }
        }
        drop(sender);
        sent
    };
    let receiving = async {
        let mut received = Vec::new();
        loop {
            match tokio::time::timeout(brief, receiver.recv()).await {
                Ok(Ok((number, _))) => received.push(number),
                Ok(Err(error)) if error.kind() == ErrorKind::Closed => break received,
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => tokio::time::sleep(brief).await,
            }
        }
    };
    let (sent, received) = tokio::join!(sending, receiving);
    assert_eq!(sent, received);
    println!("{} of 400 were sent", sent.len());
}

#[child_entry]
fn keeps(_sender: Option<Sender<u32>>, _receiver: Option<Receiver<Vec<u8>>>) {
    std::thread::sleep(Duration::from_secs(600));
}

#[tokio::test]
async fn a_child_is_killed_meanwhile() {
    let (sender, receiver) = channel::<u32>().unwrap();
    let (to_child, from_here) = channel::<Vec<u8>>().unwrap();
    let mut child = keeps::spawn(Some(sender), Some(from_here)).unwrap();
    let (receiver, to_child) = (receiver.into_async().unwrap(), to_child.into_async().unwrap());
    let flooding = async {
        loop {
            if let Err(error) = to_child.send(vec![0; 10_000]).await {
                break error.kind();
            }
        }
    };
    let killing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        child.kill().unwrap();
    };
    let receiving = async { receiver.recv().await.unwrap_err().kind() };
    let (sent, (), received) = tokio::join!(flooding, killing, receiving);
    assert_eq!((sent, received), (ErrorKind::Closed, ErrorKind::Closed));
}

#[tokio::test]
async fn several_at_once() {
    let (number, numbers) = channel().unwrap();
    let (other, others) = channel().unwrap();
    let children = (counts::spawn(number, 0, 100).unwrap(), counts::spawn(other, 1000, 100).unwrap());
    let (numbers, others) = (numbers.into_async().unwrap(), others.into_async().unwrap());
    let mut sum = 0;
    for _ in 0..200 {
        tokio::select! {
            number = numbers.recv() => sum += number.or_else(|_| others.receiver().recv()).unwrap(),
            other = others.recv() => sum += other.or_else(|_| numbers.receiver().recv()).unwrap(),
        }
    }
    assert_eq!(sum, 4950 + 104_950);
    children.0.await.unwrap().unwrap();
    children.1.await.unwrap().unwrap();
}

/// A clone can be awaited beside the first.
#[tokio::test]
async fn clones() {
    let (sender, receiver) = channel::<u32>().unwrap();
    let other = receiver.clone().into_async().unwrap();
    let receiver = receiver.into_async().unwrap();
    let clone = sender.clone().into_async().unwrap();
    let sender = sender.into_async().unwrap();
    sender.send(1).await.unwrap();
    clone.send(2).await.unwrap();
    drop((sender, clone));
    assert_eq!(receiver.recv().await.unwrap(), 1);
    assert_eq!(other.recv().await.unwrap(), 2);
    assert!(receiver.recv().await.is_err() && other.recv().await.is_err());
}

#[test]
fn outside_of_a_runtime() {
    let (sender, receiver) = channel::<u32>().unwrap();
    let error = receiver.into_async().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::System);
    assert!(error.to_string().contains("call `into_async` within a tokio runtime"), "{error}");
    assert!(sender.into_async().is_err());
}
