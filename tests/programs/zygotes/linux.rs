//! The scenarios, with what only Linux has.

#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

use spawnsafe::{Call, ErrorKind, StartMethod, child_entry};
use spawnsafe_tests::{children_of, comes_to, eventually, is_gone, open_descriptors, state};

pub(super) fn run(name: &str) {
    match name {
        "follows" => follows(),
        "follows-to-another-session" => follows_to_another_session(),
        "follows-without-rights" => follows_without_rights(),
        "follows-each-thread" => follows_each_thread(),
        "killed" => killed(),
        "stopped" => stopped(),
        "forked" => forked(),
        "replaced" => replaced(),
        "refused" => println!("{}", zygote(adds::call(1, 2)).run().unwrap_err()),
        "counts" => counts(),
        "kept-open" => kept_open(),
        name => panic!("there is no scenario {name}"),
    }
}

fn zygote<R>(call: Call<R>) -> Call<R> {
    call.start_method(StartMethod::Zygote)
}

#[child_entry]
fn adds(a: u32, b: u32) -> u32 {
    a + b
}

#[child_entry]
fn sleeps() {
    std::thread::sleep(Duration::from_secs(600));
}

/// All that a process has from the one that started it.
#[child_entry]
fn surroundings() -> BTreeMap<String, String> {
    const LINES: [&str; 16] = [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "NSpgid",
        "NSsid",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "NoNewPrivs",
        "Seccomp",
        "Cpus_allowed",
    ];
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    let mut found: BTreeMap<String, String> = lines
        .filter(|(name, _)| LINES.contains(name))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    assert_eq!(found.len(), LINES.len());
    let mut add = |name: &str, value: String| found.insert(name.to_owned(), value);
    // SAFETY: getpriority(2) has no preconditions.
    add("niceness", unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }.to_string());
    add("limits", std::fs::read_to_string("/proc/self/limits").unwrap());
    add("parent", std::os::unix::process::parent_id().to_string());
    add("program", std::fs::read_link("/proc/self/exe").unwrap().display().to_string());
    add("name", std::fs::read_to_string("/proc/self/comm").unwrap());
    add("command line", std::fs::read_to_string("/proc/self/cmdline").unwrap());
    add("threads", std::fs::read_dir("/proc/self/task").unwrap().count().to_string());
    add("directory", format!("{:?}", std::env::current_dir().ok()));
    add("arguments", format!("{:?}", std::env::args_os().collect::<Vec<_>>()));
    add("environment", format!("{:?}", std::env::vars_os().collect::<BTreeSet<_>>()));
    add(
        "streams",
        format!("{:?}", open_descriptors().into_iter().filter(|(number, _)| *number < 3).collect::<Vec<_>>()),
    );
    found
}

/// Compares one by one, so that what differs can be read.
#[track_caller]
fn is_same(forked: BTreeMap<String, String>, executed: BTreeMap<String, String>) {
    for (name, value) in &executed {
        assert_eq!(&forked[name], value, "{name}");
    }
}

/// That a child has what any child has.
#[track_caller]
fn is_followed() {
    is_same(zygote(surroundings::call()).run().unwrap(), surroundings::run().unwrap());
}

fn follows() {
    is_followed();
    // SAFETY: umask(2) has no preconditions.
    unsafe { libc::umask(0o027) };
    is_followed();
    for disposition in [libc::SIG_IGN, libc::SIG_DFL, libc::SIG_IGN] {
        for signal in [libc::SIGINT, libc::SIGUSR1, libc::SIGHUP, libc::SIGCHLD, libc::SIGPIPE] {
            // SAFETY: signal(2) with these dispositions installs no function.
            unsafe { libc::signal(signal, disposition) };
        }
        is_followed();
    }
    let dir = std::env::temp_dir().join(format!("spawnsafe-follows-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    std::env::set_current_dir(&dir).unwrap();
    is_followed();
    std::fs::remove_dir(&dir).unwrap();
    is_followed();
    std::env::set_current_dir("/").unwrap();
    // SAFETY: no other thread runs.
    unsafe { std::env::set_var("A_NEW_ONE", "1") };
    is_followed();
    let call = || surroundings::call().env_clear().env("ONLY", "this").current_dir("/proc").name("somebody");
    is_same(zygote(call()).run().unwrap(), call().run().unwrap());
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit(2) writes to the place that it is given.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = 100;
    // SAFETY: setrlimit(2) reads from the place that it is given.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    is_followed();
    // SAFETY: setpgid(2) has no preconditions.
    assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
    is_followed();
    // SAFETY: close(2): nothing uses the stream after this.
    unsafe { libc::close(0) };
    is_followed();
    // Those that have become stale are gone.
    only_child();
}

fn follows_to_another_session() {
    is_followed();
    // SAFETY: setsid(2) has no preconditions.
    if unsafe { libc::setsid() } < 0 {
        println!("left out: this program leads its process group");
    }
    is_followed();
}

/// What a parent has given up, its children must not have.
fn follows_without_rights() {
    is_followed();
    // SAFETY: prctl(2) with this command touches no memory.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    is_followed();
    // SAFETY: geteuid(2) has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return println!("left out: only root has rights to give up");
    }
    // SAFETY: as above.
    assert_eq!(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, 13, 0, 0, 0) }, 0);
    is_followed();
    // SAFETY: setgroups(2) with none reads nothing.
    assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0);
    is_followed();
    // SAFETY: setresgid(2) has no preconditions.
    assert_eq!(unsafe { libc::setresgid(48_755, 48_755, 48_755) }, 0);
    is_followed();
    let before = only_child();
    // Which the other user may not enter.
    let dir = std::env::temp_dir().join(format!("spawnsafe-rights-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
    std::env::set_current_dir(&dir).unwrap();
    std::fs::remove_dir(&dir).unwrap();
    is_followed();
    // SAFETY: setresuid(2) has no preconditions.
    assert_eq!(unsafe { libc::setresuid(48_755, 48_755, 48_755) }, 0);
    is_followed();
    // It could not be killed any more, and is gone all the same.
    assert!(is_gone(before));
}

/// What each thread has for itself.
fn follows_each_thread() {
    is_followed();
    let zygotes = only_child();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            std::thread::spawn(move || {
                // SAFETY: setpriority(2) has no preconditions.
                assert_eq!(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, number) }, 0);
                // SAFETY: a set whose bits are all zero is the empty set.
                let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
                // SAFETY: the set is valid.
                unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
                // SAFETY: the numbers lie within the set.
                let all: Vec<_> = (0..1024).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect();
                let one = all[number as usize % all.len()];
                // SAFETY: as above.
                let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
                // SAFETY: as above.
                unsafe { libc::CPU_SET(one, &mut set) };
                // SAFETY: sched_setaffinity(2) reads the set.
                assert_eq!(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) }, 0);
                (0..5).for_each(|_| is_followed());
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(only_child(), zygotes, "one zygote is enough for them");
}

/// The one process that is left when all children have been joined.
fn only_child() -> u32 {
    // `run` does not wait until its child is gone.
    eventually("there is a zygote and nothing else", || match children_of(std::process::id())[..] {
        [only] => Some(only),
        _ => None,
    })
}

/// The descriptors of this process when its zygote is its only child, and nobody else is watched.
fn settled() -> BTreeMap<u32, String> {
    spawnsafe_tests::settled(|descriptors| {
        let watched = descriptors.values().filter(|target| target.contains("pidfd")).count();
        watched == 1 && children_of(std::process::id()).len() == 1
    })
}

fn signal(process: u32, signal: i32) {
    // SAFETY: kill(2) has no preconditions. The process is the zygote of this one, which nobody else reaps.
    unsafe { libc::kill(process as i32, signal) };
}

/// Between calls and in their midst: the calls of threads that start children all the time are answered all the same.
fn killed() {
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    only_child();
    let descriptors = settled().len();
    for round in 0..60_u32 {
        let victim = only_child();
        let threads: Vec<_> = (0..3)
            .map(|number| {
                std::thread::spawn(move || {
                    (0..4).for_each(|i| assert_eq!(zygote(adds::call(number, i)).run().unwrap(), number + i));
                })
            })
            .collect();
        // Another moment in each round, from before the first request to after the last.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 40));
        signal(victim, libc::SIGKILL);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
        assert_ne!(only_child(), victim);
        assert!(is_gone(victim), "it is reaped");
        eventually("nothing of the children stays open", || (settled().len() <= descriptors).then_some(()));
    }
    // It does not mind what a terminal sends to all of a group.
    let zygotes = only_child();
    for ignored in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP, libc::SIGTSTP] {
        signal(zygotes, ignored);
    }
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    assert_eq!(only_child(), zygotes);
}

/// One that does not move is replaced, after a while.
fn stopped() {
    // In a group of its own: one that nobody controls is continued by the system when a process of it ends.
    // SAFETY: setsid(2) has no preconditions.
    unsafe { libc::setsid() };
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    let stopped = only_child();
    signal(stopped, libc::SIGSTOP);
    eventually("it is stopped", || (state(stopped) == Some('T')).then_some(()));
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    eventually("it is ended and reaped", || is_gone(stopped).then_some(()));
}

/// A copy of this process has children of its own.
fn forked() {
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    // SAFETY: this process has one thread, so its copy may do whatever it could.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        let parent = zygote(surroundings::call()).run().unwrap()["parent"].clone();
        assert_eq!(parent, std::process::id().to_string());
        std::process::exit(17);
    }
    let mut status = 0;
    // SAFETY: waitpid(2) writes to the place that it is given.
    assert_eq!(unsafe { libc::waitpid(copy, &raw mut status, 0) }, copy);
    assert_eq!(libc::WEXITSTATUS(status), 17);
    // The copy has not ended what it does not own.
    let zygotes = only_child();
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    assert_eq!(only_child(), zygotes);
}

/// The file, before and after the zygote was started.
fn replaced() {
    let program = std::env::current_exe().unwrap();
    let replace = || {
        let other = program.with_extension("other");
        std::fs::write(&other, "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::rename(&other, &program).unwrap();
    };
    replace();
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    std::fs::remove_file(&program).unwrap();
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    signal(only_child(), libc::SIGKILL);
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    let _: PathBuf = program;
}

/// Many at once, of which most are never joined.
fn counts() {
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    let (zygotes, descriptors) = (only_child(), settled());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let children: Vec<_> = (0..25).map(|_| zygote(sleeps::call()).spawn().unwrap()).collect();
                children.iter().map(spawnsafe::Child::id).collect::<Vec<_>>()
            })
        })
        .collect();
    let ids: Vec<u32> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100);
    assert!(ids.iter().all(|&id| is_gone(id)));
    comes_to(&descriptors, settled);
    assert_eq!(only_child(), zygotes);
    let error = zygote(sleeps::call()).timeout(Duration::from_millis(50)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

/// A descriptor that anybody inherits, and whose other end waits for it to be closed: a zygote must not keep it.
fn kept_open() {
    let mut ends = [0; 2];
    // SAFETY: pipe(2) writes two numbers to the place that it is given.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    assert_eq!(zygote(adds::call(1, 2)).run().unwrap(), 3);
    // SAFETY: close(2): the descriptor is this function's.
    unsafe { libc::close(ends[1]) };
    eventually("nobody has the other end", || {
        let mut fd = libc::pollfd { fd: ends[0], events: libc::POLLIN, revents: 0 };
        // SAFETY: poll(2) reads and writes one description.
        let ready = unsafe { libc::poll(&raw mut fd, 1, 0) };
        (ready == 1 && fd.revents & libc::POLLHUP != 0).then_some(())
    });
}

/// What a library does that starts a thread when it is loaded.
#[used]
// SAFETY: the section holds pointers to functions that the system calls once, on the main thread, before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn starts_a_thread() {
        if std::env::var_os("THREAD_BEFORE_MAIN").is_some() {
            std::thread::spawn(sleeps);
        }
    }
    starts_a_thread
};
