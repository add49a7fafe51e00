//! Tasks that are given what is open here, and give back what is open there.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;

use spawnsafe::{Handle, Pool, child_entry};
use spawnsafe_tests::{OpenInRounds, kill, rest_of, tcp_pair};

use super::{KILLED, begins_and_waits, pool, works, written_id};

#[child_entry]
pub(super) fn says(mut to: Handle<TcpStream>, text: &str) -> Handle<TcpStream> {
    write!(to, "{text}").unwrap();
    to
}

#[test]
fn handles_go_to_tasks_and_come_back() {
    let pool = pool().build().unwrap();
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..100).map(|_| tcp_pair()).unzip();
    let texts: Vec<String> = (0..100).map(|number| format!("number {number}")).collect();
    let pairs = theirs.into_iter().zip(&texts);
    for back in pool.map(|(stream, text)| says::call(Handle::new(stream), text), pairs) {
        write!(back.unwrap(), "!").unwrap();
    }
    let said: Vec<String> = ours.into_iter().map(rest_of).collect();
    assert_eq!(said, texts.iter().map(|text| format!("{text}!")).collect::<Vec<_>>());
    works(&pool);
}

#[child_entry]
fn closes_and_waits(talk: Handle<TcpStream>, mut wait: Handle<TcpStream>) -> String {
    write!(&*talk, "that is all").unwrap();
    drop(talk);
    let mut word = String::new();
    wait.read_to_string(&mut word).unwrap();
    word
}

/// The pool keeps tasks that it may have to give to another worker, and what they were given; not once they run, as this
/// would wait for ever then.
#[test]
fn a_handle_is_open_in_the_task_only() {
    let pool = pool().build().unwrap();
    for _ in 0..20 {
        let ((listen, talk), (mut answer, wait)) = (tcp_pair(), tcp_pair());
        let task = pool.submit(closes_and_waits::call(talk.into(), wait.into())).unwrap();
        assert_eq!(rest_of(listen), "that is all");
        answer.write_all(b"thanks").unwrap();
        drop(answer);
        assert_eq!(task.join().unwrap(), "thanks");
    }
}

#[child_entry]
fn dies_once(first: &std::path::Path, mut to: Handle<TcpStream>) {
    if !first.exists() {
        std::fs::write(first, "").unwrap();
        std::process::abort();
    }
    to.write_all(b"second try").unwrap();
}

#[test]
fn a_task_that_runs_again_has_its_handles_again() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().retries(1).build().unwrap();
    let (ours, theirs) = tcp_pair();
    pool.submit(dies_once::call(&dir.path().join("first"), theirs.into())).unwrap().join().unwrap();
    assert_eq!(rest_of(ours), "second try");
}

/// They go to another worker, with their handles.
#[test]
fn tasks_with_handles_behind_one_that_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, go_on) = (dir.path().join("begun"), dir.path().join("go on"));
    let pool = Pool::builder().workers(1).stderr(spawnsafe::Stdio::null()).build().unwrap();
    let slow = pool.submit(begins_and_waits::call(&begun, &go_on)).unwrap();
    let id = written_id(&begun);
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..10).map(|_| tcp_pair()).unzip();
    let tasks: Vec<_> =
        theirs.into_iter().map(|stream| pool.submit(says::call(stream.into(), "here")).unwrap()).collect();
    kill(id);
    assert_eq!(slow.join().unwrap_err().kind(), KILLED);
    tasks.into_iter().for_each(|task| drop(task.join().unwrap()));
    assert!(ours.into_iter().map(rest_of).all(|said| said == "here"));
}

#[test]
fn a_task_that_never_runs_closes_its_handles() {
    let pool = pool().build().unwrap();
    pool.close();
    let (ours, theirs) = tcp_pair();
    pool.submit(says::call(theirs.into(), "")).unwrap_err();
    assert_eq!(rest_of(ours), "");
}

#[spawnsafe::process_local]
static OPEN: Mutex<OpenInRounds> = Mutex::new(OpenInRounds::new());

#[child_entry]
fn a_round_is_over() {
    OPEN.lock().unwrap().ends_a_round();
}

/// In a child, whose descriptors are its own.
#[child_entry]
fn sockets_go_and_come_in_rounds() {
    let pool = Pool::builder().workers(1).build().unwrap();
    for _ in 0..6 {
        for _ in 0..5 {
            let (ours, theirs) = tcp_pair();
            drop(pool.submit(says::call(theirs.into(), "x")).unwrap().join().unwrap());
            assert_eq!(rest_of(ours), "x");
        }
        pool.submit(a_round_is_over::call()).unwrap().join().unwrap();
        a_round_is_over();
    }
}

#[test]
fn neither_a_pool_nor_its_worker_keeps_any() {
    sockets_go_and_come_in_rounds::run().unwrap();
}
