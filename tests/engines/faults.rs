//! Nodes that vanish, hang, are never there, or are not what they should be.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use spawnsafe::{Engine, Error, ErrorKind, Handle, Pool, Stdio};
use spawnsafe_tests::{eventually, is_running};

use super::{begins_and_waits, begins_and_waits_again, command, pool, signal, sleeps, square, works, written_ids};

#[test]
fn a_node_that_is_killed_loses_what_it_had_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&command(2)).build().unwrap();
    works(&pool);
    let task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let (worker, agent) = written_ids(&begun);
    signal(agent, libc::SIGKILL);
    let error = task.join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Lost, Some(begins_and_waits::NAME)));
    let text = error.to_string();
    assert!(["node ", "attempt 1", "on_loss = retry", "signal: 9"].iter().all(|part| text.contains(part)), "{text}");
    eventually("its workers end with it", || (!is_running(worker)).then_some(()));
    works(&pool);
    eventually("it is started again", || (pool.figures().workers == 4 && pool.figures().restarts == 1).then_some(()));
    works(&pool);
}

#[test]
fn a_task_that_may_run_twice_does() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&command(2)).build().unwrap();
    works(&pool);
    let task = pool.submit(begins_and_waits_again::call(&begun, &go_on)).unwrap();
    let mut agents = BTreeSet::new();
    for _ in 0..3 {
        let (_, agent) = written_ids(&begun);
        assert!(agents.insert(agent));
        std::fs::remove_file(&begun).unwrap();
        signal(agent, libc::SIGKILL);
    }
    let (worker, agent) = written_ids(&begun);
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(task.join().unwrap(), (worker, agent));
    assert!(!agents.contains(&agent));
    // And not for ever.
    std::fs::remove_file(&go_on).unwrap();
    std::fs::remove_file(&begun).unwrap();
    let task = pool.submit(begins_and_waits_again::call(&begun, &go_on)).unwrap();
    for _ in 0..4 {
        let (_, agent) = written_ids(&begun);
        std::fs::remove_file(&begun).unwrap();
        signal(agent, libc::SIGKILL);
    }
    let error = task.join().unwrap_err();
    assert!(error.kind() == ErrorKind::Lost && error.to_string().contains("attempt 4"), "{error}");
    works(&pool);
}

/// Each of many tasks is answered exactly once while nodes are killed under them.
#[test]
fn nodes_are_killed_in_the_middle_of_a_map() {
    #[spawnsafe::child_entry(on_loss = retry(100))]
    fn slow_square(x: u64) -> (u64, u32) {
        std::thread::sleep(Duration::from_millis(5));
        (x * x, std::os::unix::process::parent_id())
    }
    let pool = pool(&command(3)).build().unwrap();
    let (mut agents, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), 100);
    for (position, result) in pool.map_unordered(slow_square::call, 0..600) {
        let (squared, agent) = result.unwrap();
        assert_eq!(squared, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered twice");
        if seen.len() >= next && agents.insert(agent) {
            signal(agent, libc::SIGKILL);
            next = seen.len() + 150;
        }
    }
    assert!(seen.len() == 600 && agents.len() >= 2, "{agents:?}");
    // Each after a pause, in which the others may have done the rest.
    eventually("all are started again", || (pool.figures().restarts == agents.len() as u64).then_some(()));
    works(&pool);
}

#[test]
fn a_node_that_hangs_is_lost_and_one_that_only_works_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&command(1).heartbeat(Duration::from_secs(2))).build().unwrap();
    let busy = pool.submit(sleeps::call(5_000)).unwrap();
    busy.join().unwrap();
    assert_eq!(pool.figures().restarts, 0);
    let task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let (worker, agent) = written_ids(&begun);
    signal(agent, libc::SIGSTOP);
    let error = task.join().unwrap_err();
    assert!(error.kind() == ErrorKind::Lost && error.to_string().contains("nothing was heard"), "{error}");
    works(&pool);
    eventually("the command was killed", || (!is_running(agent) && !is_running(worker)).then_some(()));
}

/// As if the cable was pulled: the agent hears nothing any more, and ends by itself.
#[test]
fn an_agent_that_hears_nothing_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    // The shell does not become the agent, and keeps its input open when it is killed.
    let engine = Engine::command(["sh", "-c", "sleep 20 | \"$@\" & read x; sleep 20", "--"]);
    let silent = Pool::builder().engine(engine.start_timeout(Duration::from_secs(1))).stderr(Stdio::null());
    let silent = silent.build().unwrap();
    let error = silent.submit(square::call(1)).unwrap().join().unwrap_err();
    assert!(error.kind() == ErrorKind::TimedOut && error.to_string().contains("start_timeout"), "{error}");

    let engine = command(1).heartbeat(Duration::from_millis(1500));
    let pool = pool(&engine).build().unwrap();
    let task = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let (worker, agent) = written_ids(&begun);
    // A copy of the write end, so that the end of this process's is no end.
    let held = copy_of_input(agent);
    signal(agent, libc::SIGSTOP);
    assert_eq!(task.join().unwrap_err().kind(), ErrorKind::Lost);
    drop(pool);
    drop(held);
    eventually("it ends", || (!is_running(agent) && !is_running(worker)).then_some(()));
}

/// As if what starts agents elsewhere passed nothing on to them: their input is open, and empty.
#[test]
fn an_agent_that_gets_no_orders_ends() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_clusters"));
    command.env("SPAWNSAFE_AGENT", "main:400").stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut agent = command.spawn().unwrap();
    let held = agent.stdin.take();
    let output = agent.wait_with_output().unwrap();
    drop(held);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(["no orders for 400ms", "SPAWNSAFE_AGENT"].iter().all(|part| text.contains(part)), "{text}");
}

/// What has not left this process has surely not run: it runs on the next node, whether it may run twice or not.
#[test]
fn tasks_that_were_not_sent_are_not_lost() {
    #[spawnsafe::child_entry]
    fn sums(bytes: Vec<u8>) -> u64 {
        bytes.iter().map(|&byte| u64::from(byte)).sum()
    }
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = pool(&command(1).heartbeat(Duration::from_secs(2))).build().unwrap();
    works(&pool);
    let running = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let (_, agent) = written_ids(&begun);
    signal(agent, libc::SIGSTOP);
    // A pipe takes one or two of them.
    let tasks: Vec<_> = (0..40).map(|x| pool.submit(sums::call(vec![x; 60_000])).unwrap()).collect();
    assert_eq!(running.join().unwrap_err().kind(), ErrorKind::Lost);
    let mut lost = 0;
    for (x, task) in (0..40).zip(tasks) {
        match task.join() {
            Ok(sum) => assert_eq!(sum, x * 60_000),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
                lost += 1;
            }
        }
    }
    assert!((1..10).contains(&lost), "{lost} are lost");
}

/// Another writer of the pipe that an agent reads.
fn copy_of_input(agent: u32) -> Option<File> {
    let pipe = std::fs::read_dir(format!("/proc/{agent}/fd")).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        std::fs::read_link(&path).ok()?.to_str()?.starts_with("pipe:").then_some(path)
    });
    pipe.filter_map(|path| File::options().write(true).open(path).ok()).next()
}

#[track_caller]
fn never_there(engine: Engine, kind: ErrorKind, parts: &[&str]) -> Error {
    let start = Instant::now();
    let pool = pool(&engine).build().unwrap();
    let error = pool.submit(square::call(1)).and_then(|task| task.join()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(pool.submit(square::call(1)).unwrap_err().kind(), kind, "it stays so");
    assert!(start.elapsed() < Duration::from_secs(60));
    error
}

#[test]
fn nodes_that_are_never_there() {
    never_there(
        Engine::command(["/no/such/launcher"]),
        ErrorKind::Spawn,
        &["/no/such/launcher", "installed", "5 times"],
    );
    never_there(
        Engine::command(["sh", "-c", "echo welcome to the machine; echo key is wrong >&2; exit 7"]),
        ErrorKind::Spawn,
        &["welcome to the machine", "key is wrong", "status: 7", "by hand"],
    );
    never_there(command(1).program("/no/such/program"), ErrorKind::Spawn, &["/no/such/program", "status: 127"]);
    never_there(
        Engine::command(["sh", "-c", "printf '\\001spawnsafe-agt\\r\\n\\002'; cat"]),
        ErrorKind::Spawn,
        &["terminal"],
    );
}

#[test]
fn a_node_may_take_for_ever() {
    works(&pool(&command(1).start_timeout(Duration::MAX).heartbeat(Duration::MAX)).build().unwrap());
}

#[test]
fn another_build_of_the_program() {
    let other = Path::new(env!("CARGO_BIN_EXE_clusters"));
    // This test binary asks its agents to take over before `main`; that program does so in it.
    let engine = Engine::command(["sh", "-c", "exec env SPAWNSAFE_AGENT=main \"$0\"", "{program}"]).program(other);
    let start = Instant::now();
    never_there(engine, ErrorKind::BuildMismatch, &["another build", "no node is left"]);
    assert!(start.elapsed() < Duration::from_secs(30));
}

/// What a login shell prints before it runs the command.
#[test]
fn greetings_are_skipped() {
    let long = "sh -c 'i=0; while [ $i -lt 500 ]; do echo welcome $i; i=$((i+1)); done; printf spw; exec \"$@\"' --";
    let engine: Engine = format!("command:{long}").parse().unwrap();
    works(&pool(&engine).build().unwrap());
}

#[test]
fn one_node_of_two_is_never_there() {
    let engine: Engine = "command:sh -c 'exec \"$@\"' -- ; false".parse().unwrap();
    let pool = pool(&engine).build().unwrap();
    works(&pool);
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        works(&pool);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(pool.figures().workers, 2);
}

#[test]
fn what_no_engine_carries_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = || File::create(dir.path().join("file")).unwrap();
    for builder in [pool(&command(1)).stdout(file()), pool(&command(1)).stderr(file()), pool(&command(1)).stdin(file())]
    {
        let error = builder.build().unwrap_err();
        assert!(error.kind() == ErrorKind::Spawn && error.to_string().contains("PoolBuilder::std"), "{error}");
    }
    let error = pool(&Engine::ssh(<[&str; 0]>::default())).build().unwrap_err();
    assert!(error.to_string().contains("no nodes"), "{error}");
    let pool = pool(&command(1)).build().unwrap();
    assert!(pool.resize(3).unwrap_err().to_string().contains("engine"));
    works(&pool);
}

#[spawnsafe::child_entry]
fn reads(name: &str, file: Handle<File>) -> String {
    name.to_owned() + &std::io::read_to_string(file.into_inner()).unwrap()
}

#[spawnsafe::child_entry]
fn opens(path: &Path) -> Handle<File> {
    File::open(path).unwrap().into()
}

#[test]
fn open_handles_stay_here() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "content").unwrap();
    let open = || Handle::from(File::open(&path).unwrap());
    let pool = pool(&command(1)).build().unwrap();
    let error = pool.submit(reads::call("a ", open())).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(reads::NAME)));
    assert!(error.to_string().contains("its argument `file`"), "{error}");
    let error = pool.map(|()| reads::call("a ", open()), [()]).next().unwrap().unwrap_err();
    assert!(error.to_string().contains("its argument `file`"), "{error}");
    let error = pool.submit(opens::call(&path)).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Encode, Some(opens::NAME)));
    assert!(error.to_string().contains("its result"), "{error}");
    works(&pool);
    // Locally they travel, of course.
    let local = super::pool(&Engine::local()).build().unwrap();
    assert_eq!(local.submit(reads::call("a ", open())).unwrap().join().unwrap(), "a content");
}

#[test]
fn nothing_is_left_behind() {
    // Other tests of this process open and close descriptors at the same time: a program by itself looks.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_clusters")).arg("leaks").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A variable that was set by hand.
#[test]
fn an_agent_of_nobody() {
    let program = env!("CARGO_BIN_EXE_clusters");
    let run = |value: &str| {
        let mut command = std::process::Command::new(program);
        command.env("SPAWNSAFE_AGENT", value).stdin(std::process::Stdio::null());
        command.output().unwrap()
    };
    let nonsense = run("nonsense");
    assert_eq!(nonsense.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&nonsense.stderr).contains("SPAWNSAFE_AGENT"));
    // Its input is at its end: there is nothing to do, and nobody to say something to.
    let nobody = run("main");
    assert!(nobody.status.success() && nobody.stdout.is_empty(), "{nobody:?}");
}
