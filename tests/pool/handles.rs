//! Descriptors that are too many, and memory, as `/proc` tells of them.

use std::fs::File;

use spawnsafe::{ErrorKind, Handle, Pool, SharedBuf, SharedSlice, child_entry};
use spawnsafe_tests::{eventually, kill, rest_of, tcp_pair};

use super::sockets::says;
use super::{pool, process_id};

/// How many more descriptors this process may open, at most.
fn may_open(more: Option<u64>) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = match more {
        None => limit.maximum,
        Some(more) => {
            let open = spawnsafe_tests::open_descriptors();
            // The next one has the lowest number that is free.
            Some((0..).find(|number| !open.contains_key(number)).map_or(0, u64::from) + more)
        }
    };
    setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }).unwrap();
}

#[child_entry]
fn limits_itself(more: Option<u64>) {
    may_open(more);
}

/// Who has more than they may have loses what is too much, and nothing else.
#[test]
fn a_worker_at_its_limit_of_descriptors() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let id = pool.submit(process_id::call()).unwrap().join().unwrap();
    pool.submit(limits_itself::call(Some(0))).unwrap().join().unwrap();
    for _ in 0..3 {
        let (ours, theirs) = tcp_pair();
        let error = pool.submit(says::call(theirs.into(), "never")).unwrap().join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("`to`") && error.to_string().contains("ulimit -n"), "{error}");
        assert_eq!(rest_of(ours), "");
        assert_eq!(pool.submit(process_id::call()).unwrap().join().unwrap(), id);
    }
    pool.submit(limits_itself::call(None)).unwrap().join().unwrap();
    let (ours, theirs) = tcp_pair();
    drop(pool.submit(says::call(theirs.into(), "again")).unwrap().join().unwrap());
    assert_eq!(rest_of(ours), "again");
    assert_eq!(pool.submit(process_id::call()).unwrap().join().unwrap(), id);
}

#[child_entry]
fn opens(count: usize) -> Vec<Handle<File>> {
    // What limits its parent is inherited.
    may_open(None);
    (0..count).map(|_| File::open("/dev/null").unwrap().into()).collect()
}

/// A process for itself, as the tests of this one open things meanwhile.
#[child_entry]
fn is_sent_more_than_it_may_open() -> String {
    let pool = Pool::builder().workers(1).build().unwrap();
    let first = pool.submit(opens::call(1)).unwrap().join().unwrap();
    may_open(Some(20));
    let error = pool.submit(opens::call(300)).unwrap().join().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let pooled = pool.submit(opens::call(5)).unwrap().join().unwrap();
    // A child takes some itself.
    drop((first, pooled));
    let alone = opens::run(300).unwrap_err();
    assert_eq!(alone.kind(), ErrorKind::Decode);
    assert_eq!(opens::run(3).unwrap().len(), 3);
    assert_eq!(pool.submit(opens::call(5)).unwrap().join().unwrap().len(), 5);
    format!("{error}; {alone}")
}

#[test]
fn a_parent_at_its_limit_of_descriptors() {
    let errors = is_sent_more_than_it_may_open::run().unwrap();
    assert_eq!(errors.matches("ulimit -n").count(), 2, "{errors}");
}

#[child_entry]
fn part(numbers: SharedSlice<u64>, from: usize, to: usize) -> SharedSlice<u64> {
    numbers.slice(from..to)
}

/// The memory of a slice, as `/proc` names it: its inode.
fn inode_of(slice: &SharedSlice<u64>) -> String {
    let address = slice.as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        (number(start)..number(end)).contains(&address)
    });
    line.unwrap().split_whitespace().nth(4).unwrap().to_owned()
}

/// How many mappings of such memory there are in a process.
fn mappings(process: u32, inode: &str) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    maps.lines().filter(|line| line.split_whitespace().nth(4) == Some(inode)).count()
}

#[test]
fn a_thousand_tasks_see_the_same_memory() {
    let pool = pool().build().unwrap();
    let mut buf = SharedBuf::zeroed(100_000).unwrap();
    buf.iter_mut().zip(0..).for_each(|(number, i)| *number = i);
    let numbers = buf.seal().unwrap();
    let inode = inode_of(&numbers);
    let parts = (0..1000).map(|i| (i * 100, i * 100 + 50));
    let parts = pool.map(|(from, to)| part::call(numbers.clone(), from, to), parts);
    for (i, part) in (0..).zip(parts) {
        let part = part.unwrap();
        assert_eq!((part.len(), part[0], part[49]), (50, i * 100, i * 100 + 49));
        assert_eq!(inode_of(&part), inode);
    }
    // Workers keep no memory that no task has.
    eventually("the workers have unmapped it", || {
        pool.process_ids().iter().all(|&id| mappings(id, &inode) == 0).then_some(())
    });
    assert_eq!(mappings(std::process::id(), &inode), 1);
    drop(numbers);
    assert_eq!(mappings(std::process::id(), &inode), 0);
}

#[child_entry]
fn has_a_model(model: &SharedSlice<u64>) {
    *MODEL.lock().unwrap() = model.clone();
}

#[spawnsafe::process_local]
static MODEL: std::sync::LazyLock<std::sync::Mutex<SharedSlice<u64>>> = std::sync::LazyLock::new(Default::default);

#[child_entry]
fn asks_model(at: usize) -> u64 {
    MODEL.lock().unwrap()[at]
}

#[test]
fn each_worker_begins_with_the_same_memory() {
    let model = SharedSlice::copy_of(&[1, 2, 3]).unwrap();
    let pool = pool().initializer(has_a_model::call(&model)).build().unwrap();
    let inode = inode_of(&model);
    drop(model);
    for round in 0..3 {
        assert_eq!(pool.submit(asks_model::call(2)).unwrap().join().unwrap(), 3);
        let ids = eventually("there are two workers", || Some(pool.process_ids()).filter(|ids| ids.len() == 2));
        assert!(ids.iter().all(|&id| mappings(id, &inode) == 1), "round {round}");
        // Those that replace them as well.
        ids.iter().for_each(|&id| kill(id));
        eventually("others replace them", || {
            let now = pool.process_ids();
            (now.len() == 2 && now.iter().all(|id| !ids.contains(id))).then_some(())
        });
    }
}

/// Memory of this process that it shares with nobody, in bytes.
fn own_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}

/// What it adds up to, and how much more memory of its own the process has then.
#[child_entry]
fn sum(numbers: SharedSlice<u64>) -> (u64, usize) {
    let before = own_memory();
    let sum = numbers.iter().sum();
    (sum, own_memory().saturating_sub(before))
}

#[test]
fn what_is_shared_is_not_copied() {
    const LEN: usize = 8 << 20;
    let pool = pool().build().unwrap();
    let mut buf = SharedBuf::zeroed(LEN).unwrap();
    buf.fill(3);
    let numbers = buf.seal().unwrap();
    let before = pool.submit(sum::call(numbers.slice(..0))).unwrap().join().unwrap().1;
    for _ in 0..6 {
        let (sum, more) = pool.submit(sum::call(numbers.clone())).unwrap().join().unwrap();
        assert_eq!(sum, 3 * LEN as u64);
        // It is 64 MiB.
        assert!(more < before + (1 << 20), "{more} bytes for a sum");
    }
}
