//! What is left open, and what happens when no more can be opened. All of it in children, whose descriptors are their own.

use spawnsafe::{Error, Pool, Sender, channel, child_entry, duplex};
use spawnsafe_tests::{children_of, comes_to, eventually, open_descriptors, settled};

use super::{counts, sums};

/// Everything that a user does, once.
fn uses_channels() -> Result<(), Error> {
    let (sender, receiver) = channel()?;
    counts::run(sender.clone(), 0, 10)??;
    sender.send(7)?;
    drop(sender);
    assert_eq!(sums::run(receiver)??, 52);

    let (sender, receiver) = channel::<(Vec<u8>, Sender<u64>)>()?;
    let (inner, _numbers) = channel()?;
    // Received, unread, and not sent.
    sender.send((vec![1; 100_000], inner.clone()))?;
    drop(receiver.recv()?);
    sender.send((vec![1; 100_000], inner.clone()))?;
    drop(receiver);
    sender.send((vec![1; 100_000], inner)).unwrap_err();

    let (mut here, there) = duplex::<u64, u64>()?;
    drop(there);
    here.request(1).unwrap_err();

    let (sender, receiver) = channel::<u64>()?;
    drop(counts::spawn(sender, 0, 1_000_000)?);
    receiver.iter().for_each(drop);
    Ok(())
}

#[child_entry]
fn leaves_nothing_open() -> Result<(), Error> {
    uses_channels()?;
    // A child whose answer is there may still be about to end.
    let settled = || settled(|_| children_of(std::process::id()).is_empty());
    let before = settled();
    (0..5).try_for_each(|_| uses_channels())?;
    comes_to(&before, settled);
    Ok(())
}

#[test]
fn nothing_stays_open() {
    leaves_nothing_open::run().unwrap().unwrap();
}

#[child_entry]
fn pool_leaves_nothing_open() -> Result<(), Error> {
    let pool = Pool::builder().workers(1).build()?;
    let run = || -> Result<(), Error> {
        let (sender, receiver) = channel()?;
        let task = pool.submit(counts::call(sender, 0, 10))?;
        assert_eq!(receiver.iter().sum::<Result<u64, _>>()?, 45);
        task.join()?
    };
    run()?;
    let count = |pool: &Pool| pool.submit(count_open::call())?.join();
    let (here, there) = (open_descriptors(), count(&pool)?);
    (0..5).try_for_each(|_| run())?;
    // The system opens some for a moment, here and there.
    eventually("everything is closed", || {
        let is_closed = open_descriptors().len() <= here.len() && count(&pool).ok()? <= there;
        is_closed.then_some(())
    });
    Ok(())
}

#[child_entry]
fn count_open() -> usize {
    open_descriptors().len()
}

#[test]
fn nothing_stays_open_in_a_pool() {
    pool_leaves_nothing_open::run().unwrap().unwrap();
}

/// A process of Windows has no such limits.
#[cfg(target_os = "linux")]
mod descriptors {
    use std::fs::File;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use spawnsafe::{Error, ErrorKind, Sender, channel, child_entry};

    /// Opens files until no more can be opened.
    fn fill() -> Vec<File> {
        let hard = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: hard }).unwrap();
        std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
    }

    /// Receiving what there is no room for.
    #[child_entry]
    fn receives_at_the_limit() -> Result<(), Error> {
        let (sender, receiver) = channel::<(u32, Vec<Sender<u64>>, Vec<u8>)>()?;
        let (inner, numbers) = channel()?;
        sender.send((1, vec![], vec![]))?;
        sender.send((2, vec![inner.clone(); 3], vec![]))?;
        sender.send((3, vec![], vec![3; 200_000]))?;
        sender.send((4, vec![], vec![]))?;
        drop(inner);
        let mut files = fill();

        assert_eq!(receiver.recv()?.0, 1);
        for _ in 0..3 {
            let error = receiver.recv().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::System, "{error}");
            assert!(error.to_string().contains("none is lost"), "{error}");
            assert_eq!(receiver.try_recv().unwrap_err().kind(), ErrorKind::System);
            // Nor are two enough for three, each of which is two on macOS.
            files.truncate(files.len() - usize::from(files.len() > 2) * 2);
            files.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        }
        files.truncate(files.len() - 7);
        let (number, inner, _) = receiver.recv()?;
        assert_eq!((number, inner.len()), (2, 3));
        inner[2].send(9)?;
        drop(inner);
        assert_eq!(numbers.recv()?, 9);
        assert_eq!(numbers.recv().unwrap_err().kind(), ErrorKind::Closed);

        files.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        assert_eq!(receiver.recv().unwrap_err().kind(), ErrorKind::System);
        files.pop();
        assert_eq!(receiver.recv()?.2, vec![3; 200_000]);
        assert_eq!(receiver.recv()?.0, 4);
        Ok(())
    }

    #[test]
    fn what_there_is_no_room_for_stays_in_the_channel() {
        receives_at_the_limit::run().unwrap().unwrap();
    }

    /// Sending and making what there is no room for.
    #[child_entry]
    fn sends_at_the_limit() -> Result<(), Error> {
        let (sender, receiver) = channel::<Vec<u8>>()?;
        let mut files = fill();
        assert_eq!(channel::<u32>().unwrap_err().kind(), ErrorKind::System);
        let error = sender.send(vec![1; 200_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        assert_eq!(error.into_value().unwrap(), vec![1; 200_000]);
        sender.send(vec![1])?;
        assert_eq!(receiver.recv()?, [1]);
        files.pop();
        sender.send(vec![1; 200_000])?;
        assert_eq!(receiver.recv()?, vec![1; 200_000]);
        Ok(())
    }

    #[test]
    fn what_cannot_be_sent_comes_back() {
        sends_at_the_limit::run().unwrap().unwrap();
    }

    /// Beyond the limit of the size of files, which is that of memory files as well, there is a signal that would end it.
    #[child_entry]
    fn sends_with_small_files() -> Result<(), Error> {
        let hard = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: Some(100_000), maximum: hard }).unwrap();
        let (sender, receiver) = channel::<Vec<u8>>()?;
        sender.send(vec![1; 90_000])?;
        assert_eq!(receiver.recv()?.len(), 90_000);
        let error = sender.send(vec![1; 100_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        assert!(error.to_string().contains("`ulimit -f`"), "{error}");
        Ok(())
    }

    #[test]
    fn the_limit_of_files_is_an_error() {
        sends_with_small_files::run().unwrap().unwrap();
    }
}
