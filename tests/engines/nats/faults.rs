//! Agents on which no worker can be started, cables that are pulled, tasks that wait for long, and queues that somebody
//! removes under those who wait.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spawnsafe::{Error, ErrorKind, child_entry};
use spawnsafe_nats::TaskId;
use spawnsafe_tests::{children_of, eventually, is_running};

use super::server::{Door, Setup};
use super::slow_square;
use crate::network::Network;
use crate::{begins_and_waits, pool, signal, square, squares_slowly, works, written_ids};

/// May run once only, and says so.
#[child_entry]
fn squares_once(x: u64, dir: &Path) -> u64 {
    std::fs::File::create_new(dir.join(x.to_string())).expect("it runs for the first time");
    std::thread::sleep(Duration::from_millis(5));
    x * x
}

/// From now on this process opens nothing more, so that it can start no other.
#[allow(unsafe_code)]
fn sicken(process: u32) {
    let limit = libc::rlimit { rlim_cur: 8, rlim_max: 8 };
    // SAFETY: the limit is a valid one, and the old one is not asked for. The process belongs to a test that has not ended.
    let done = unsafe { libc::prlimit(process as i32, libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// It has ended, and said why.
fn ends_sick(setup: &Setup, agent: u32) {
    eventually("the sick agent ends", || (!is_running(agent)).then_some(()));
    let log = setup.log();
    let last = log.lines().rfind(|line| line.contains(&format!(":{agent} ends: "))).expect("it has said why");
    assert!(last.contains("no worker can be started") && last.contains("5 times in a row"), "{last}");
    assert!(log.contains("Too many open files"), "{log}");
}

/// It takes tasks that may run once only, gives them back, and others do each of them once.
#[test]
fn a_sick_agent_gives_back_what_it_has_taken() {
    let Some(mut setup) = Setup::with_agents(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    setup.wait_for_agents(1);
    let sick = setup.agents()[0];
    sicken(sick);
    let (queue, pool) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    let call = |x: u64| squares_once::call(x, dir.path());
    let ids: Vec<TaskId> = (0..120).map(|x| queue.submit(call(x)).unwrap()).collect();
    let tasks: Vec<_> = (1000..1150).map(|x| pool.submit(call(x)).unwrap()).collect();
    eventually("it gives tasks back", || setup.log().contains("gives tasks back").then_some(()));
    let healthy = setup.start_agent();
    for (x, id) in (0..).zip(&ids) {
        assert_eq!(queue.collect::<u64>(id).unwrap(), x * x);
    }
    for (x, task) in (1000..).zip(tasks) {
        assert_eq!(task.join().unwrap(), x * x);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 270);
    ends_sick(&setup, sick);
    assert!(is_running(healthy));
    works(&pool);
}

/// It becomes sick in the middle of its work, and its workers die.
#[test]
fn an_agent_becomes_sick_in_the_middle_of_a_map() {
    let Some(mut setup) = Setup::with_agents(1, Door::Open) else { return };
    setup.start_agent();
    setup.wait_for_agents(2);
    let (queue, pool) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    works(&pool);
    let ids: Vec<TaskId> = (0..150).map(|x| queue.submit(slow_square::call(x)).unwrap()).collect();
    let (mut seen, mut sick) = (BTreeSet::new(), None);
    for (position, result) in pool.map_unordered(slow_square::call, 0..300) {
        let (squared, agent) = result.unwrap();
        assert_eq!(squared, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered twice");
        if seen.len() == 60 {
            sick = Some(agent);
            sicken(agent);
            children_of(agent).into_iter().for_each(|worker| signal(worker, libc::SIGKILL));
        }
    }
    assert_eq!(seen.len(), 300);
    for (x, id) in (0..).zip(&ids) {
        assert_eq!(queue.collect::<(u64, u32)>(id).unwrap().0, x * x);
    }
    ends_sick(&setup, sick.unwrap());
    works(&pool);
}

/// Nobody is left: a pool gets what its agents have said, and a task of a queue waits for one that can.
#[test]
fn all_agents_are_sick() {
    let Some(mut setup) = Setup::with_agents(1, Door::Open) else { return };
    setup.wait_for_agents(1);
    let sick = setup.agents()[0];
    sicken(sick);
    let (queue, pool) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    let id = queue.submit(square::call(7)).unwrap();
    let task = pool.submit(square::call(8)).unwrap();
    let is_told = |error: &Error| {
        let text = error.to_string();
        let node = format!(":{sick} cannot begin");
        assert!(error.kind() == ErrorKind::Spawn && text.contains(&node) && text.contains("open files"), "{text}");
    };
    is_told(&task.join().unwrap_err());
    is_told(&queue.collect::<u64>(&id).unwrap_err());
    ends_sick(&setup, sick);
    setup.start_agent();
    let squared: u64 = eventually("somebody can", || queue.collect_timeout(&id, Duration::from_secs(1)).ok().flatten());
    assert_eq!(squared, 49);
}

#[test]
fn a_task_may_wait_for_longer_than_answers_are_kept() {
    let Some(mut setup) = Setup::new(1, Door::Open) else { return };
    setup.query += "&keep=1";
    setup.start_agent();
    let dir = tempfile::tempdir().unwrap();
    let queue = setup.queue();
    // Tasks are short, so that another one is asked for ahead; and then they are not, so that it goes back.
    for x in 0..20 {
        assert_eq!(queue.collect::<u64>(&queue.submit(square::call(x)).unwrap()).unwrap(), x * x);
    }
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    let go_on = path("go on");
    let busy: Vec<TaskId> = ["a", "b"]
        .map(|name| {
            let id = queue.submit(begins_and_waits::call(&path(name), &go_on)).unwrap();
            written_ids(&path(name));
            id
        })
        .into();
    let waits = queue.submit(square::call(12)).unwrap();
    assert_eq!(queue.collect_timeout::<u64>(&waits, Duration::from_secs(3)).unwrap(), None);
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(queue.collect::<u64>(&waits).unwrap(), 144);
    drop(busy);

    // What has begun has begun, also if that is long ago.
    let begun = path("begun");
    let lost = queue.submit(begins_and_waits::call(&begun, &path("never"))).unwrap();
    let (_, agent) = written_ids(&begun);
    signal(agent, libc::SIGKILL);
    std::thread::sleep(Duration::from_secs(2));
    setup.start_agent();
    assert_eq!(queue.collect::<(u32, u32)>(&lost).unwrap_err().kind(), ErrorKind::Lost);
}

#[test]
fn somebody_removes_the_queue() {
    let Some(setup) = Setup::with_agents(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (queue, pool) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    works(&pool);
    for round in 0..2 {
        let go_on = dir.path().join(format!("go on {round}"));
        let begun: Vec<PathBuf> = (0..2).map(|x| dir.path().join(format!("{x} of {round}"))).collect();
        let busy: Vec<_> =
            begun.iter().map(|begun| pool.submit(begins_and_waits::call(begun, &go_on)).unwrap()).collect();
        for begun in &begun {
            written_ids(begun);
        }
        let waiting: Vec<_> = (0..5).map(|x| pool.submit(square::call(x)).unwrap()).collect();
        let id = queue.submit(square::call(5)).unwrap();
        setup.queue().remove().unwrap();
        let start = Instant::now();
        for task in busy {
            let error = task.join().unwrap_err();
            let is_clear = error.to_string().contains("vanished from the queue");
            assert!(error.kind() == ErrorKind::Lost && is_clear, "{error}");
        }
        for task in waiting {
            // Some may not have been in the queue by then.
            match task.join() {
                Ok(_) => {}
                Err(error) => assert!(error.to_string().contains("vanished from the queue"), "{error}"),
            }
        }
        assert_eq!(queue.collect::<u64>(&id).unwrap_err().kind(), ErrorKind::Closed);
        assert!(start.elapsed() < Duration::from_secs(60));
        std::fs::write(&go_on, "").unwrap();
        // All is there again.
        works(&pool);
        let id = queue.submit(square::call(6)).unwrap();
        assert_eq!(queue.collect::<u64>(&id).unwrap(), 36);
    }
}

#[child_entry]
fn squares_slowly_once(x: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(100));
    x * x
}

/// No end, no reset: nothing arrives any more. And later it does again.
#[test]
fn the_cable_is_pulled_and_put_back() {
    let Some(network) = Network::new(10) else { return };
    let Some(mut setup) = Setup::at(&network.address(254)) else { return };
    setup.query = setup.query.replace("heartbeat=4", "heartbeat=8");
    let [_, second] = [1, 2].map(|host| setup.start_agent_behind(&network.prefix(host)));
    setup.wait_for_agents(2);
    let (queue, pool) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    let both = || eventually("both hosts are there", || (pool.figures().workers == 4).then_some(()));
    both();
    works(&pool);

    // Much shorter than the heartbeat: nothing is lost, whether it may run twice or not.
    let ids: Vec<TaskId> = (0..20).map(|x| queue.submit(squares_slowly_once::call(x)).unwrap()).collect();
    let mut seen = BTreeSet::new();
    for (position, result) in pool.map_unordered(squares_slowly_once::call, 0..60) {
        assert_eq!(result.unwrap(), (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered before");
        if seen.len() == 10 {
            network.cable(2, "down");
            std::thread::sleep(Duration::from_secs(1));
            network.cable(2, "up");
        }
    }
    assert_eq!(seen.len(), 60);
    for (x, id) in (0..).zip(&ids) {
        assert_eq!(queue.collect::<u64>(id).unwrap(), x * x);
    }

    // Longer: what may run again does, once more.
    let ids: Vec<TaskId> = (0..30).map(|x| queue.submit(squares_slowly::call(x)).unwrap()).collect();
    let mut seen = BTreeSet::new();
    for (position, result) in pool.map_unordered(squares_slowly::call, 0..150) {
        assert_eq!(result.unwrap().0, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered before");
        if seen.len() == 30 {
            network.cable(2, "down");
        }
    }
    assert_eq!(seen.len(), 150);
    for (x, id) in (0..).zip(&ids) {
        assert_eq!(queue.collect::<(u64, u32, u32)>(id).unwrap().0, x * x);
    }
    eventually("the second host's are noticed", || (pool.figures().workers == 2).then_some(()));
    network.cable(2, "up");
    both();

    // And what may not is lost with it, and with it only.
    let dir = tempfile::tempdir().unwrap();
    let path = |x: usize| dir.path().join(x.to_string());
    let go_on = dir.path().join("go on");
    let tasks: Vec<_> = (0..2).map(|x| pool.submit(begins_and_waits::call(&path(x), &go_on)).unwrap()).collect();
    let ids: Vec<TaskId> = (2..4).map(|x| queue.submit(begins_and_waits::call(&path(x), &go_on)).unwrap()).collect();
    let agents: Vec<u32> = (0..4).map(|x| written_ids(&path(x)).1).collect();
    network.cable(2, "down");
    // They hear nothing, and so go on when they are told to when the cable is there again.
    std::thread::sleep(Duration::from_secs(9));
    std::fs::write(&go_on, "").unwrap();
    let results = tasks.into_iter().map(|task| task.join());
    let results: Vec<_> = results.chain(ids.iter().map(|id| queue.collect::<(u32, u32)>(id))).collect();
    for (agent, result) in agents.iter().zip(results) {
        match result {
            Ok((_, by)) => assert!(by == *agent && by != second, "{agents:?}"),
            Err(error) => {
                let text = error.to_string();
                let node = format!(":{second} was lost");
                assert!(error.kind() == ErrorKind::Lost && *agent == second && text.contains(&node), "{text}");
                assert!(text.contains("attempt 1"), "{text}");
            }
        }
    }
    assert!(agents.contains(&second), "{agents:?}");
    network.cable(2, "up");
    both();
    works(&pool);
}
