//! From every process to every other, and everything that can be on its way.

use std::fs::File;
use std::io::Write as _;

use serde::{Deserialize, Serialize};
use spawnsafe::{
    Duplex, Error, ErrorKind, Handle, Pool, Ready, Receiver, Select, Sender, SharedSlice, SpawnSafe, channel,
    child_entry, duplex,
};

use super::{counts, sums};

#[test]
fn from_the_child() {
    let (sender, receiver) = channel().unwrap();
    let child = counts::spawn(sender, 5, 1000).unwrap();
    let all: Vec<u64> = receiver.iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(all, (5..1005).collect::<Vec<_>>());
    child.join().unwrap().unwrap();
}

#[test]
fn to_the_child() {
    let (sender, receiver) = channel().unwrap();
    let child = sums::spawn(receiver).unwrap();
    (1..=1000).for_each(|number| sender.send(number).unwrap());
    drop(sender);
    assert_eq!(child.join().unwrap().unwrap(), 500_500);
}

#[test]
fn from_child_to_child() {
    let (sender, receiver) = channel().unwrap();
    let summing = sums::spawn(receiver).unwrap();
    let counting: Vec<_> = (0..3).map(|part| counts::spawn(sender.clone(), part * 100, 100).unwrap()).collect();
    drop(sender);
    counting.into_iter().for_each(|child| child.join().unwrap().unwrap());
    assert_eq!(summing.join().unwrap().unwrap(), (0..300).sum::<u64>());
}

#[child_entry]
fn has_it_counted(to: Sender<u64>) -> Result<(), Error> {
    counts::run(to, 0, 10)?
}

#[test]
fn from_the_grandchild() {
    let (sender, receiver) = channel().unwrap();
    let child = has_it_counted::spawn(sender).unwrap();
    assert_eq!(receiver.iter().sum::<Result<u64, _>>().unwrap(), 45);
    child.join().unwrap().unwrap();
}

/// An argument that is only lent stays here as well.
#[child_entry]
fn counts_on_loan(to: &Sender<u64>) -> Result<(), Error> {
    Ok(to.send(7)?)
}

#[test]
fn by_reference() {
    let (sender, receiver) = channel().unwrap();
    counts_on_loan::run(&sender).unwrap().unwrap();
    counts_on_loan::run(&sender).unwrap().unwrap();
    sender.send(8).unwrap();
    drop(sender);
    assert_eq!(receiver.iter().collect::<Result<Vec<_>, _>>().unwrap(), [7, 7, 8]);
}

#[child_entry]
fn makes_a_channel() -> Result<(Sender<String>, Receiver<String>), Error> {
    let (sender, receiver) = channel()?;
    sender.send("from the child, which is gone".into())?;
    Ok((sender, receiver))
}

#[test]
fn as_a_result() {
    let (sender, receiver) = makes_a_channel::run().unwrap().unwrap();
    sender.send("from here".into()).unwrap();
    drop(sender);
    let all: Vec<String> = receiver.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(all, ["from the child, which is gone", "from here"]);
}

/// A request that says where its answer is to go.
#[derive(Serialize, Deserialize, SpawnSafe)]
struct Request {
    number: u64,
    answer_to: Sender<u64>,
}

#[child_entry]
fn squares(requests: Receiver<Request>) -> Result<(), Error> {
    for request in &requests {
        let Request { number, answer_to } = request?;
        answer_to.send(number * number)?;
    }
    Ok(())
}

#[test]
fn over_a_channel_and_in_a_type() {
    let (requests, receiver) = channel().unwrap();
    let child = squares::spawn(receiver).unwrap();
    for number in 0..20 {
        let (answer_to, answer) = channel().unwrap();
        requests.send(Request { number, answer_to }).unwrap();
        assert_eq!(answer.recv().unwrap(), number * number);
        // The only sender was in the request.
        assert_eq!(answer.recv().unwrap_err().kind(), ErrorKind::Closed);
    }
    drop(requests);
    child.join().unwrap().unwrap();
}

#[child_entry]
fn passes_on(receivers: Receiver<Receiver<u64>>) -> Result<u64, Error> {
    let mut sum = 0;
    for receiver in &receivers {
        for number in receiver? {
            sum += number?;
        }
    }
    Ok(sum)
}

#[test]
fn a_receiver_over_a_channel_with_what_is_in_it() {
    let (outer, receivers) = channel().unwrap();
    let child = passes_on::spawn(receivers).unwrap();
    for _ in 0..3 {
        let (sender, receiver) = channel::<u64>().unwrap();
        sender.send(1).unwrap();
        outer.send(receiver).unwrap();
        sender.send(2).unwrap();
    }
    drop(outer);
    assert_eq!(child.join().unwrap().unwrap(), 9);
}

#[test]
fn many_ends_in_one_message() {
    let (sender, receiver) = channel::<Vec<Sender<u64>>>().unwrap();
    let (number, numbers) = channel().unwrap();
    // An end is three handles on Windows, two on macOS, and one on Linux.
    let many = 84;
    sender.send(vec![number.clone(); many]).unwrap();
    let all = receiver.recv().unwrap();
    all.iter().for_each(|one| one.send(1).unwrap());
    drop((all, number));
    assert_eq!(numbers.iter().count(), many);
    let (number, _numbers) = channel().unwrap();
    let error = sender.send(vec![number; 300]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("can have 252"), "{error}");
    assert_eq!(error.into_value().unwrap().len(), 300);
    sender.send(vec![]).unwrap();
    assert!(receiver.recv().unwrap().is_empty());
}

#[test]
fn a_long_message_with_ends_in_it() {
    let (sender, receiver) = channel::<(Vec<u8>, Sender<u64>)>().unwrap();
    let (number, numbers) = channel().unwrap();
    sender.send((vec![3; 1 << 20], number)).unwrap();
    let (bytes, number) = receiver.recv().unwrap();
    assert_eq!(bytes, vec![3; 1 << 20]);
    number.send(4).unwrap();
    assert_eq!(numbers.recv().unwrap(), 4);
}

/// What has a way of its own to other processes has it through a channel as well.
#[child_entry]
fn measures(files: Receiver<(Handle<File>, SharedSlice<u32>)>, sizes: Sender<(u64, u32)>) -> Result<(), Error> {
    for message in &files {
        let (file, numbers) = message?;
        sizes.send((file.metadata().unwrap().len(), numbers.iter().sum()))?;
    }
    Ok(())
}

#[test]
fn open_files_and_shared_memory() {
    let (file, files) = channel().unwrap();
    let (size, sizes) = channel().unwrap();
    let child = measures::spawn(files, size).unwrap();
    let numbers = SharedSlice::copy_of(&[1; 100_000]).unwrap();
    for len in 0..10 {
        let mut open = tempfile::tempfile().unwrap();
        open.write_all(&vec![0; len]).unwrap();
        file.send((Handle::new(open), numbers.clone())).unwrap();
        assert_eq!(sizes.recv().unwrap(), (len as u64, 100_000));
    }
    drop(file);
    child.join().unwrap().unwrap();
}

#[test]
fn through_a_pool() {
    let pool = Pool::builder().workers(2).build().unwrap();
    let (sender, receiver) = channel().unwrap();
    let tasks: Vec<_> = (0..10).map(|part| pool.submit(counts::call(sender.clone(), part * 50, 50)).unwrap()).collect();
    drop(sender);
    let mut all: Vec<u64> = receiver.iter().collect::<Result<_, _>>().unwrap();
    all.sort_unstable();
    assert_eq!(all, (0..500).collect::<Vec<_>>());
    tasks.into_iter().for_each(|task| task.join().unwrap().unwrap());
    let (sender, receiver) = pool.submit(makes_a_channel::call()).unwrap().join().unwrap().unwrap();
    drop(sender);
    assert_eq!(receiver.iter().count(), 1);
}

#[child_entry]
fn answers(mut requests: Duplex<String, u32>) -> Result<u32, Error> {
    let mut count = 0;
    requests.serve(|number| {
        count += 1;
        format!("{number}!")
    })?;
    Ok(count)
}

#[test]
fn requests_and_replies() {
    let (mut here, there) = duplex::<u32, String>().unwrap();
    let child = answers::spawn(there).unwrap();
    for number in 0..100 {
        assert_eq!(here.request(number).unwrap(), format!("{number}!"));
    }
    // Several on their way.
    (0..10).for_each(|number| here.send(number).unwrap());
    (0..10).for_each(|number| assert_eq!(here.recv().unwrap(), format!("{number}!")));
    let (requests, replies) = here.split();
    requests.send(7).unwrap();
    drop(requests);
    assert_eq!(replies.iter().map(Result::unwrap).collect::<Vec<_>>(), ["7!"]);
    assert_eq!(child.join().unwrap().unwrap(), 111);
}

/// Between two children, neither of which knows the other.
#[child_entry]
fn asks(mut other: Duplex<u32, String>) -> Result<Vec<String>, Error> {
    (1..=3).map(|number| other.request(number)).collect()
}

#[test]
fn requests_from_child_to_child() {
    let (one, other) = duplex().unwrap();
    let answering = answers::spawn(other).unwrap();
    assert_eq!(asks::run(one).unwrap().unwrap(), ["1!", "2!", "3!"]);
    assert_eq!(answering.join().unwrap().unwrap(), 3);
}

#[child_entry]
fn says(words: Sender<String>) -> Result<(), Error> {
    ["one", "two"].into_iter().try_for_each(|word| Ok(words.send(word.into())?))
}

#[test]
fn several_children_of_different_types_at_once() {
    let (number, numbers) = channel().unwrap();
    let (word, words) = channel().unwrap();
    let children = (counts::spawn(number, 0, 100).unwrap(), says::spawn(word).unwrap());
    let (mut sum, mut text, mut ends) = (0, String::new(), 0);
    let mut select = Select::new();
    let (a, b) = (select.recv(&numbers), select.recv(&words));
    while let Some(ready) = select.ready().unwrap() {
        match ready {
            Ready::Message(index) if index == a => sum += numbers.recv().unwrap(),
            Ready::Message(index) if index == b => text += &words.recv().unwrap(),
            Ready::Message(index) => panic!("there is no {index}"),
            Ready::Closed(_) => ends += 1,
        }
    }
    assert_eq!((sum, text.as_str(), ends), (4950, "onetwo", 2));
    children.0.join().unwrap().unwrap();
    children.1.join().unwrap().unwrap();
}

/// Whoever is free takes the next one.
#[child_entry]
fn works(jobs: Receiver<u64>, done: Sender<u64>) -> Result<u32, Error> {
    let mut count = 0;
    for job in &jobs {
        done.send(job? * 2)?;
        count += 1;
    }
    Ok(count)
}

#[test]
fn several_processes_share_a_receiver() {
    let (job, jobs) = channel().unwrap();
    let (done, results) = channel().unwrap();
    let workers: Vec<_> = (0..3).map(|_| works::spawn(jobs.clone(), done.clone()).unwrap()).collect();
    drop((jobs, done));
    let feeding = std::thread::spawn(move || (0..5000).for_each(|number| job.send(number).unwrap()));
    let mut all: Vec<u64> = results.iter().collect::<Result<_, _>>().unwrap();
    feeding.join().unwrap();
    all.sort_unstable();
    assert_eq!(all, (0..5000).map(|number| number * 2).collect::<Vec<_>>());
    let counts: Vec<u32> = workers.into_iter().map(|worker| worker.join().unwrap().unwrap()).collect();
    assert_eq!(counts.iter().sum::<u32>(), 5000);
}
