//! NATS JetStream: pools and queues on servers and agents that each test starts for itself.

mod faults;
mod server;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use server::{Bound, Door, Setup, engine};
use spawnsafe::{Error, ErrorKind, Pool, RemoteError, child_entry};
use spawnsafe_nats::{Nats, TaskId};
use spawnsafe_tests::{KillOnDrop, eventually, is_running};

use super::{begins_and_waits, begins_and_waits_again, pool, signal, sleeps, square, works, written_ids};

/// What all engines pass, but for the two tests in which agents end with their pool: these stay.
macro_rules! suite {
    ($module:ident, $engine:expr) => {
        mod $module {
            use crate::common;

            use super::*;

            crate::common::suite! { @tests $engine =>
                values, spread, long_values, panics, deaths, repeated_deaths, cancelled, cancelled_late, abandoned, too_long,
                statics, initializers, surroundings, printed, shared
            }
        }
    };
}

suite!(one_agent, engine(1, Door::Open));
suite!(three_agents, engine(3, Door::Open));
suite!(guarded, engine(1, Door::Guarded));

#[test]
fn tasks_are_collected_by_their_ids() {
    #[child_entry]
    fn divides(a: u32, b: u32) -> Result<u32, RemoteError> {
        a.checked_div(b).ok_or_else(|| RemoteError::msg("by zero"))
    }
    #[child_entry]
    fn joins(texts: Vec<String>, with: &str) -> String {
        assert!(!texts.is_empty(), "there is nothing to join");
        texts.join(with)
    }
    let Some(setup) = Setup::with_agents(1, Door::Open) else { return };
    let queue = setup.queue();
    let value = queue.submit(divides::call(12, 3)).unwrap();
    let error = queue.submit(divides::call(12, 0)).unwrap();
    let panic = queue.submit(joins::call(vec![], "-")).unwrap();
    let long = "x".repeat(100_000);
    let text = queue.submit(joins::call(vec![long.clone(), "y".into()], "-")).unwrap();
    assert_eq!(queue.collect::<Result<u32, RemoteError>>(&value).unwrap().unwrap(), 4);
    // Again, and by what is written down.
    let value: TaskId = value.to_string().parse().unwrap();
    assert_eq!(queue.collect::<Result<u32, RemoteError>>(&value).unwrap().unwrap(), 4);
    assert_eq!(queue.collect::<Result<u32, RemoteError>>(&error).unwrap().unwrap_err().to_string(), "by zero");
    let panicked = queue.collect::<String>(&panic).unwrap_err();
    assert_eq!((panicked.kind(), panicked.entry()), (ErrorKind::Panicked, Some(joins::NAME)));
    assert!(panicked.panic().unwrap().message().contains("nothing to join"));
    assert_eq!(queue.collect::<String>(&text).unwrap(), long + "-y");
    assert_eq!(queue.collect::<Vec<u8>>(&text).unwrap_err().kind(), ErrorKind::Decode);

    queue.forget(&text).unwrap();
    let error = queue.collect::<String>(&text).unwrap_err();
    assert!(error.kind() == ErrorKind::Closed && error.to_string().contains("no task"), "{error}");
    let unknown: TaskId = "0123456789abcdef".parse().unwrap();
    assert_eq!(queue.collect_timeout::<u32>(&unknown, Duration::from_secs(60)).unwrap_err().kind(), ErrorKind::Closed);
    for wrong in ["", "a.b", "*", "a b"] {
        assert_eq!(wrong.parse::<TaskId>().unwrap_err().kind(), ErrorKind::Decode);
    }
    queue.remove().unwrap();
}

#[test]
fn tasks_of_queues_are_cancelled() {
    let Some(mut setup) = Setup::new(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let queue = setup.queue();
    let waiting = queue.submit(square::call(3)).unwrap();
    assert_eq!(queue.collect_timeout::<u64>(&waiting, Duration::from_millis(50)).unwrap(), None);
    queue.cancel(&waiting).unwrap();
    assert_eq!(queue.collect::<u64>(&waiting).unwrap_err().kind(), ErrorKind::Cancelled);
    setup.start_agent();
    let running = queue.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let (worker, agent) = written_ids(&begun);
    queue.cancel(&running).unwrap();
    assert_eq!(queue.collect::<(u32, u32)>(&running).unwrap_err().kind(), ErrorKind::Cancelled);
    eventually("its worker is gone", || (!is_running(worker)).then_some(()));
    // What has an answer keeps it.
    let done = queue.submit(square::call(4)).unwrap();
    assert_eq!(queue.collect::<u64>(&done).unwrap(), 16);
    queue.cancel(&done).unwrap();
    assert_eq!(queue.collect::<u64>(&done).unwrap(), 16);
    assert!(is_running(agent));
}

#[test]
fn what_somebody_has_submitted_another_process_collects() {
    let Some(setup) = Setup::new(1, Door::Open) else { return };
    let program = env!("CARGO_BIN_EXE_clusters");
    let url = setup.url() + "&app=posts";
    let submitter = Command::new(program).args(["posts", &url]).stdout(Stdio::piped()).spawn();
    let mut submitter = KillOnDrop(submitter.unwrap());
    let mut ids = String::new();
    BufReader::new(submitter.0.stdout.take().unwrap()).read_line(&mut ids).unwrap();
    // Before anybody works on them, so that nothing is done when it dies.
    submitter.0.kill().unwrap();
    submitter.0.wait().unwrap();
    let _agent = Bound::start(&[program], Path::new("/dev/null"), &[("SPAWNSAFE_AGENT", url.clone())]);
    let collector = Command::new(program).args(["collects", &url]).args(ids.split_whitespace()).output().unwrap();
    assert!(collector.status.success(), "{}", String::from_utf8_lossy(&collector.stderr));
    assert_eq!(collector.stdout, b"collected\n");
}

#[test]
fn many_tasks_go_through_a_small_queue() {
    let Some(mut setup) = Setup::new(1, Door::Open) else { return };
    setup.query += "&queue=50";
    let queue = setup.queue();
    for x in 0..50 {
        queue.submit(square::call(x)).unwrap();
    }
    let full = queue.submit_timeout(square::call(50), Duration::from_millis(100)).unwrap_err();
    assert!(full.kind() == ErrorKind::TimedOut && full.to_string().contains("maximum messages"), "{full}");
    setup.start_agent();
    let ids: Vec<TaskId> = (0..500).map(|x| queue.submit(square::call(x)).unwrap()).collect();
    for (x, id) in (0..).zip(&ids) {
        assert_eq!(queue.collect::<u64>(id).unwrap(), x * x);
    }
    let pool = pool(&setup.engine()).build().unwrap();
    let tasks: Vec<_> = (0..500).map(|x| pool.submit(square::call(x)).unwrap()).collect();
    for (x, task) in (0..).zip(tasks) {
        assert_eq!(task.join().unwrap(), x * x);
    }
}

#[test]
fn an_agent_that_is_killed_loses_what_it_had_and_no_more() {
    let Some(mut setup) = Setup::with_agents(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&setup.engine()).build().unwrap();
    let queue = setup.queue();
    works(&pool);
    let task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let posted_begun = dir.path().join("posted");
    let posted = queue.submit(begins_and_waits::call(&posted_begun, &go_on)).unwrap();
    let (worker, agent) = written_ids(&begun);
    written_ids(&posted_begun);
    setup.start_agent();
    setup.wait_for_agents(2);
    signal(agent, libc::SIGKILL);
    let is_lost = |error: &Error| {
        let text = error.to_string();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Lost, Some(begins_and_waits::NAME)), "{text}");
        let node = format!(":{agent} was lost");
        assert!(["node ", &node, "attempt 1", "on_loss = retry"].iter().all(|part| text.contains(part)), "{text}");
    };
    is_lost(&task.join().unwrap_err());
    is_lost(&queue.collect::<(u32, u32)>(&posted).unwrap_err());
    eventually("its workers end with it", || (!is_running(worker)).then_some(()));
    works(&pool);
}

#[test]
fn a_task_that_may_run_twice_does() {
    let Some(mut setup) = Setup::with_agents(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&setup.engine()).build().unwrap();
    works(&pool);
    let task = pool.submit(begins_and_waits_again::call(&begun, &go_on)).unwrap();
    let mut agents = BTreeSet::new();
    for _ in 0..3 {
        let (_, agent) = written_ids(&begun);
        assert!(agents.insert(agent));
        std::fs::remove_file(&begun).unwrap();
        setup.start_agent();
        signal(agent, libc::SIGKILL);
    }
    let (worker, agent) = written_ids(&begun);
    assert!(!agents.contains(&agent));
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(task.join().unwrap(), (worker, agent));
}

#[child_entry(on_loss = retry(100))]
fn slow_square(x: u64) -> (u64, u32) {
    std::thread::sleep(Duration::from_millis(5));
    (x * x, std::os::unix::process::parent_id())
}

/// Each of many tasks is answered exactly once while agents are killed under them.
#[test]
fn agents_are_killed_in_the_middle_of_a_map() {
    let Some(mut setup) = Setup::with_agents(3, Door::Open) else { return };
    let pool = pool(&setup.engine()).build().unwrap();
    let (mut agents, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), 100);
    for (position, result) in pool.map_unordered(slow_square::call, 0..600) {
        let (squared, agent) = result.unwrap();
        assert_eq!(squared, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered twice");
        if seen.len() >= next && agents.insert(agent) {
            setup.start_agent();
            signal(agent, libc::SIGKILL);
            next = seen.len() + 150;
        }
    }
    assert!(seen.len() == 600 && agents.len() >= 2, "{agents:?}");
    works(&pool);
}

#[test]
fn the_server_is_killed_and_started_again() {
    let Some(mut setup) = Setup::with_agents(2, Door::Open) else { return };
    let pool = pool(&setup.engine()).build().unwrap();
    let queue = setup.queue();
    works(&pool);
    let ids: Vec<TaskId> = (0..30).map(|x| queue.submit(slow_square::call(x)).unwrap()).collect();
    let mut seen = BTreeSet::new();
    for (position, result) in pool.map_unordered(slow_square::call, 0..400) {
        assert_eq!(result.unwrap().0, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered twice");
        if seen.len() == 100 {
            setup.kill_server(0);
            std::thread::sleep(Duration::from_millis(500));
            setup.start_server(0);
        }
    }
    assert_eq!(seen.len(), 400);
    for (x, id) in (0..).zip(&ids) {
        assert_eq!(queue.collect::<(u64, u32)>(id).unwrap().0, x * x);
    }
    works(&pool);
}

/// Three servers keep three copies, and somebody leads: each is killed, two of them come back.
#[test]
fn each_server_of_a_cluster_is_killed() {
    let Some(mut setup) = Setup::new(3, Door::Open) else { return };
    for _ in 0..2 {
        setup.start_agent();
    }
    setup.wait_for_agents(2);
    let pool = pool(&setup.engine()).build().unwrap();
    works(&pool);
    let mut seen = BTreeSet::new();
    for (position, result) in pool.map_unordered(slow_square::call, 0..300) {
        assert_eq!(result.unwrap().0, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered twice");
        // One after another, so that the one that leads is among them.
        match seen.len() {
            50 => setup.kill_server(0),
            100 => setup.start_server(0),
            130 => setup.kill_server(1),
            180 => setup.start_server(1),
            210 => setup.kill_server(2),
            _ => {}
        }
    }
    assert_eq!(seen.len(), 300);
    works(&pool);
}

#[test]
fn who_may_not_come_in_is_told() {
    let refused = |nats: &Nats, parts: &[&str]| {
        let start = Instant::now();
        let errors = [nats.queue().unwrap_err(), Pool::builder().engine(nats.engine()).build().unwrap_err()];
        for error in errors {
            let text = error.to_string();
            assert!(error.kind() == ErrorKind::Spawn && parts.iter().all(|part| text.contains(part)), "{text}");
            assert!(!text.contains("wr0ng"), "no secret is shown: {text}");
        }
        assert!(start.elapsed() < Duration::from_secs(30));
    };
    let Some(locked) = Setup::new(1, Door::Locked) else { return };
    assert!(locked.nats().queue().is_ok());
    refused(&locked.nats().user("me", "wr0ng"), &["does not let this client in", "SPAWNSAFE_NATS_PASSWORD"]);
    refused(&Nats::new(&locked.url()).unwrap(), &["does not let this client in"]);
    // In the URL it works as well.
    let url = locked.url().replace("nats://", &format!("nats://me:{}@", server::PASSWORD.replace(' ', "%20")));
    assert!(Nats::new(&url).unwrap().queue().is_ok());
    let agent = Command::new(env!("CARGO_BIN_EXE_clusters")).env("SPAWNSAFE_AGENT", locked.url()).output().unwrap();
    let text = String::from_utf8_lossy(&agent.stderr);
    assert!(agent.status.code() == Some(70) && text.contains("does not let this client in"), "{text}");

    let nowhere = Nats::new("nats://127.0.0.1:1").unwrap();
    refused(&nowhere, &["cannot be reached", "127.0.0.1:1"]);
    let Some(guarded) = Setup::new(1, Door::Guarded) else { return };
    assert!(guarded.nats().queue().is_ok());
    refused(&guarded.nats().token("wr0ng"), &["does not let this client in", "SPAWNSAFE_NATS_TOKEN"]);
    refused(&guarded.without_certificate(), &["NATS server"]);
    refused(&Nats::new(&guarded.url()).unwrap().token(server::TOKEN), &["NATS server"]);
}

/// Old tasks are for old programs, as long as there are some.
#[test]
fn versions_do_not_meet() {
    let Some(mut setup) = Setup::new(1, Door::Open) else { return };
    let query = setup.query.clone();
    setup.query = format!("{query}&app=rolling&version=1");
    setup.start_agent();
    setup.wait_for_agents(1);
    let old = setup.queue();
    setup.query = format!("{query}&app=rolling&version=2");
    let new = setup.queue();
    let id = new.submit(square::call(5)).unwrap();
    let old_id = old.submit(square::call(4)).unwrap();
    assert_eq!(old.collect::<u64>(&old_id).unwrap(), 16);
    assert_eq!(new.collect_timeout::<u64>(&id, Duration::from_millis(300)).unwrap(), None);
    setup.start_agent();
    assert_eq!(new.collect::<u64>(&id).unwrap(), 25);
}

#[child_entry]
fn length(_name: &str, bytes: Vec<u8>) -> usize {
    bytes.len()
}
#[child_entry]
fn zeros(length: usize) -> Vec<u8> {
    vec![0; length]
}

#[test]
fn what_no_message_holds_is_refused() {
    let Some(setup) = Setup::with_agents(1, Door::Open) else { return };
    let (queue, pool) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    let too_long = || length::call("a", vec![1; 9_000_000]);
    let errors = [
        queue.submit(too_long()).unwrap_err(),
        pool.submit(too_long()).and_then(|task| task.join()).unwrap_err(),
        pool.map(|()| too_long(), [()]).next().unwrap().unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(length::NAME)));
        assert!(error.to_string().contains("max_payload"), "{error}");
    }
    let results = [
        pool.submit(zeros::call(9_000_000)).unwrap().join().unwrap_err(),
        queue.collect::<Vec<u8>>(&queue.submit(zeros::call(9_000_000)).unwrap()).unwrap_err(),
    ];
    for error in results {
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(zeros::NAME)), "{error}");
        assert!(error.to_string().contains("its result"), "{error}");
    }
    assert_eq!(pool.submit(length::call("a", vec![1; 5_000_000])).unwrap().join().unwrap(), 5_000_000);
    let file = || spawnsafe::Handle::from(std::fs::File::open("/dev/null").unwrap());
    let errors = [pool.submit(reads::call(file())).unwrap_err(), queue.submit(reads::call(file())).unwrap_err()];
    for error in errors {
        assert!(error.to_string().contains("its argument `file`"), "{error}");
    }
    works(&pool);
}

#[test]
fn answers_are_divided_where_messages_are_short() {
    let Some(mut setup) = Setup::with_messages(1, Door::Open, "64KB") else { return };
    setup.start_agent();
    let pool = pool(&setup.engine()).build().unwrap();
    let lens: Vec<usize> = pool.map(zeros::call, 1000..1500).map(|zeros| zeros.unwrap().len()).collect();
    assert_eq!(lens, (1000..1500).collect::<Vec<_>>());
    let lens: Vec<usize> = pool.map(|len| length::call("a", vec![1; len]), 1000..1500).map(Result::unwrap).collect();
    assert_eq!(lens, (1000..1500).collect::<Vec<_>>());
    assert_eq!(pool.submit(zeros::call(70_000)).unwrap().join().unwrap_err().kind(), ErrorKind::Encode);
    works(&pool);
}

/// Each by itself has a head in its parcel, and many of them are as long as a message.
#[test]
fn single_tasks_are_divided_where_messages_are_short() {
    let Some(mut setup) = Setup::with_messages(1, Door::Open, "64KB") else { return };
    setup.start_agent();
    let pool = pool(&setup.engine()).build().unwrap();
    // It is known then that they are short, so that many go together.
    assert_eq!(pool.map(square::call, 0..5000).filter_map(Result::ok).count(), 5000);
    let len_of = |x: usize| if x % 2 == 0 { 2 } else { 1900 + x % 200 };
    let submit = |x| pool.submit(length::call("a", vec![1; len_of(x)])).unwrap();
    let tasks: Vec<_> = (0..3000).map(submit).collect();
    for (x, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), len_of(x));
    }
}

#[child_entry]
fn complains(length: usize) -> Result<(), RemoteError> {
    match length {
        0 => panic!("{}", "a lot ".repeat(50_000)),
        length => Err(RemoteError::msg("e".repeat(length))),
    }
}

/// An answer that is not stored is none: the task would come to the next agent, and be lost in the end.
#[test]
fn errors_are_shortened_where_messages_are_short() {
    let Some(mut setup) = Setup::with_messages(1, Door::Open, "64KB") else { return };
    setup.start_agent();
    let (queue, fit) = (setup.queue(), pool(&setup.engine()).build().unwrap());
    let panicked = |error: Error| {
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Panicked, Some(complains::NAME)), "{error}");
        let message = error.panic().unwrap().message();
        assert!(message.starts_with("a lot a lot") && message.ends_with("… (300000 bytes)"), "{message}");
    };
    let id = queue.submit(complains::call(0)).unwrap();
    panicked(fit.submit(complains::call(0)).unwrap().join().unwrap_err());
    panicked(queue.collect::<()>(&id).unwrap_err());
    works(&fit);
    let unfit = |length| {
        let unfit = pool(&setup.engine()).initializer(complains::call(length)).build().unwrap();
        unfit.submit(square::call(1)).and_then(|task| task.join()).unwrap_err()
    };
    let error = unfit(0);
    assert!(error.kind() == ErrorKind::Panicked && error.to_string().contains("a lot"), "{error}");
    let error = unfit(100_000);
    assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("initializer"), "{error}");
    works(&fit);
}

#[test]
fn what_was_cancelled_before_somebody_took_it_never_runs() {
    let Some(mut setup) = Setup::new(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&setup.engine()).build().unwrap();
    for _ in 0..20 {
        let mut task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        task.cancel();
        assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Cancelled);
    }
    setup.start_agent();
    works(&pool);
    assert!(!begun.exists());
}

#[child_entry]
fn reads(file: spawnsafe::Handle<std::fs::File>) -> String {
    std::io::read_to_string(file.into_inner()).unwrap()
}

/// The agents stay for others; what ran for the pool does not.
#[test]
fn a_pool_that_ends_leaves_nothing_running() {
    let Some(setup) = Setup::with_agents(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let first = pool(&setup.engine()).build().unwrap();
    works(&first);
    let task = first.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    // A queue does not promise which begins first.
    let (worker, agent) = written_ids(&begun);
    let waiting: Vec<_> = (0..50).map(|_| first.submit(sleeps::call(600_000)).unwrap()).collect();
    drop(first);
    assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Closed);
    waiting.into_iter().for_each(|task| assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Closed));
    eventually("the worker that ran is gone", || (!is_running(worker)).then_some(()));
    assert!(is_running(agent));
    let second = pool(&setup.engine()).build().unwrap();
    works(&second);
    let tasks: Vec<_> = (0..100).map(|x| second.submit(square::call(x)).unwrap()).collect();
    second.join();
    for (x, task) in (0..).zip(tasks) {
        assert_eq!(task.join().unwrap(), x * x);
    }
}

/// As a container is asked to end.
#[test]
fn an_agent_that_is_asked_to_leave_finishes_what_it_has() {
    let Some(mut setup) = Setup::with_agents(1, Door::Open) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let queue = setup.queue();
    let id = queue.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let (_, agent) = written_ids(&begun);
    signal(agent, libc::SIGTERM);
    eventually("it is about to leave", || setup.log().contains("takes no more tasks").then_some(()));
    std::fs::File::create(&go_on).unwrap().write_all(b"x").unwrap();
    assert_eq!(queue.collect::<(u32, u32)>(&id).unwrap().1, agent);
    eventually("it has left", || (!is_running(agent)).then_some(()));
    let later = queue.submit(square::call(6)).unwrap();
    setup.start_agent();
    assert_eq!(queue.collect::<u64>(&later).unwrap(), 36);
}

#[test]
fn an_agent_that_is_asked_to_leave_needs_no_server_for_it() {
    let Some(mut setup) = Setup::new(1, Door::Open) else { return };
    let agent = setup.start_agent();
    setup.wait_for_agents(1);
    setup.kill_server(0);
    signal(agent, libc::SIGTERM);
    eventually("it has left", || (!is_running(agent)).then_some(()));
}

#[test]
fn nobody_serves_the_queue() {
    let Some(setup) = Setup::new(1, Door::Open) else { return };
    let engine = setup.engine().start_timeout(Duration::from_millis(500));
    let pool = Pool::builder().engine(engine).build().unwrap();
    let error = pool.submit(square::call(1)).and_then(|task| task.join()).unwrap_err();
    assert!(error.kind() == ErrorKind::TimedOut && error.to_string().contains("SPAWNSAFE_AGENT=nats://"), "{error}");
}

/// As `SPAWNSAFE_ENGINE` names it, from another program.
#[test]
fn an_engine_of_the_environment() {
    let Some(setup) = Setup::new(1, Door::Locked) else { return };
    let program = Path::new(env!("CARGO_BIN_EXE_clusters"));
    let start = |variable: &str| {
        let mut command = Command::new(program);
        command.env(variable, setup.url()).envs(setup.secrets());
        command
    };
    let mut environment = setup.secrets();
    environment.push(("SPAWNSAFE_AGENT", setup.url()));
    let _agent = Bound::start(&[env!("CARGO_BIN_EXE_clusters")], Path::new("/dev/null"), &environment);
    let output = start("SPAWNSAFE_ENGINE").args(["many-tasks", "20000"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"20000 tasks\n");
}
