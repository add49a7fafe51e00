//! Scenarios with processes that wait for a call. On systems that keep none they are the same, but for who answers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spawnsafe::{Call, ErrorKind, Stdio, child_entry, prewarm};
use spawnsafe_tests::{children_of, eventually, state};

use super::{adds, comes_to, exits, floods, panics, settled, sleeps};

pub(super) fn run(name: &str, rest: &[String]) {
    match name {
        "spares-are-taken" => are_taken(),
        "spares-and-surroundings" => surroundings(Path::new(&rest[0])),
        "spares-and-streams" => streams(Path::new(&rest[0])),
        "spares-that-die" => that_die(),
        "spares-leak-nothing" => leak_nothing(),
        "spares-and-their-parent" => and_their_parent(),
        name => panic!("there is no scenario {name}"),
    }
}

#[child_entry]
fn process_id() -> u32 {
    std::process::id()
}

/// Those that wait: all children of this process, in these programs.
fn spares() -> Vec<u32> {
    children_of(std::process::id())
}

/// Waits until that many wait, and nothing else is left.
fn spares_are(count: usize) -> Vec<u32> {
    eventually("the spares are complete", || {
        let spares = spares();
        let are_asleep = spares.iter().all(|&pid| state(pid) == Some('S'));
        (spares.len() == count && are_asleep).then_some(spares)
    })
}

/// Runs a call for the process that has answered, until it was one that had waited.
fn by_a_spare<R>(call: impl Fn() -> (u32, R)) -> R {
    eventually("a spare is taken", || {
        let spares = spares();
        let (pid, result) = call();
        spares.contains(&pid).then_some(result)
    })
}

fn are_taken() {
    prewarm(2).unwrap();
    let first = spares_are(2);
    let ids = [process_id::run().unwrap(), process_id::run().unwrap()];
    assert_eq!(ids.iter().filter(|id| first.contains(id)).count(), 2, "{ids:?} of {first:?}");
    let second = spares_are(2);
    assert!(second.iter().all(|pid| !first.contains(pid)), "each runs one entry");
    let child = process_id::spawn().unwrap();
    assert!(second.contains(&child.id()));
    assert_eq!(child.id(), child.join().unwrap());
    // Its environment is another one from its beginning on.
    spares_are(2);
    let waiting = spares();
    assert!(!waiting.contains(&process_id::call().env("A", "1").run().unwrap()));
    prewarm(1).unwrap();
    spares_are(1);
    prewarm(0).unwrap();
    spares_are(0);
    process_id::run().unwrap();
}

/// What a process has from the one that starts it.
type State = (PathBuf, BTreeMap<String, String>, Vec<String>, (i32, Vec<i32>));

/// The signals that this process ignores. `/proc` does not tell under qemu, which has a handler of its own for most. Without
/// the two that are the C library's own.
fn ignored() -> Vec<i32> {
    let is_ignored = |&signal: &i32| {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        #[allow(unsafe_code)]
        // SAFETY: sigaction(2) writes the present action to the place, or nothing where it refuses the number.
        unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        }
        #[allow(unsafe_code)]
        // SAFETY: zeroed it is an action as well: the default.
        let action = unsafe { action.assume_init() };
        action.sa_sigaction == libc::SIG_IGN
    };
    (1..=64).filter(is_ignored).collect()
}

#[child_entry]
fn inherited_state() -> (u32, State) {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let names = ["Umask:", "Cpus_allowed:", "NSsid:", "NSpgid:"];
    let lines = status.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).map(str::to_owned);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let lines = lines.chain(limits.lines().map(str::to_owned)).collect();
    let niceness = rustix::process::getpriority_process(None).unwrap();
    (std::process::id(), (std::env::current_dir().unwrap(), std::env::vars().collect(), lines, (niceness, ignored())))
}

/// Right after each change, and when new processes wait, an entry finds what it would find anyway.
#[allow(unsafe_code)]
fn surroundings(dir: &Path) {
    prewarm(2).unwrap();
    let changes: [&dyn Fn(); 6] = [
        &|| {},
        &|| std::env::set_current_dir(dir).unwrap(),
        // SAFETY: the library's threads read the environment by std's functions, and there are no others.
        &|| unsafe { std::env::set_var("A_NEW_ONE", "1") },
        &|| _ = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027)),
        &|| super::system::set_limit(libc::RLIMIT_NOFILE, 300),
        // SAFETY: signal(2) with SIG_IGN installs no function.
        &|| _ = unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) },
    ];
    for change in changes {
        spares_are(2);
        change();
        let here = inherited_state().1;
        for found in [inherited_state::run().unwrap().1, by_a_spare(|| inherited_state::run().unwrap())] {
            assert_eq!(found, here);
        }
    }
    // This thread is another one, and those that wait are not for it, but for others still.
    spares_are(2);
    let thread = std::thread::spawn(|| {
        rustix::process::setpriority_process(None, 7).unwrap();
        let spares = spares();
        let (pid, state) = inherited_state::run().unwrap();
        assert!(state.3.0 == 7 && !spares.contains(&pid));
    });
    thread.join().unwrap();
    assert_ne!(by_a_spare(|| inherited_state::run().unwrap()).3.0, 7);
}

#[child_entry]
fn speaks(text: &str) -> (u32, String) {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    print!("out {text}");
    eprint!("err {text}");
    (std::process::id(), input)
}

fn speaking(call: Call<(u32, String)>) -> (String, String, (u32, String)) {
    let call = call.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = call.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"in").unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (out, err, child.join().unwrap())
}

fn streams(file: &Path) {
    prewarm(2).unwrap();
    spares_are(2);
    let (out, err, input) = by_a_spare(|| {
        let (out, err, (pid, input)) = speaking(speaks::call("x"));
        (pid, (out, err, input))
    });
    assert_eq!((out.as_str(), err.as_str(), input.as_str()), ("out x", "err x", "in"));
    // This process's own, as they are now.
    let own = rustix::io::dup(std::io::stdout().as_fd()).unwrap();
    rustix::stdio::dup2_stdout(std::fs::File::create(file).unwrap().as_fd()).unwrap();
    by_a_spare(|| speaks::call("y").stdin(Stdio::null()).stderr(Stdio::null()).run().unwrap());
    rustix::stdio::dup2_stdout(own.as_fd()).unwrap();
    let written = std::fs::read_to_string(file).unwrap();
    assert!(written.ends_with("out y"), "{written}");
    // More than the connection takes at once.
    spares_are(2);
    let len = by_a_spare(|| {
        let child = floods::call(0, vec![7; 10 << 20]).spawn().unwrap();
        (child.id(), child.join().unwrap())
    });
    assert_eq!(len, 10 << 20);
    // One that it does not have cannot be given away.
    #[allow(unsafe_code)]
    // SAFETY: nothing in this program reads from its input any more.
    unsafe {
        libc::close(0)
    };
    let waiting = spares_are(2);
    assert!(!waiting.contains(&process_id::run().unwrap()));
    spares_are(2);
}

#[allow(unsafe_code)]
fn signal(pid: u32, signal: i32) {
    // SAFETY: kill(2) has no preconditions; the process is a child of this one.
    unsafe { libc::kill(pid as i32, signal) };
}

fn that_die() {
    prewarm(3).unwrap();
    for i in 0..10 {
        let spares = spares_are(3);
        spares.iter().for_each(|&pid| signal(pid, libc::SIGKILL));
        assert_eq!(adds::run(i, 1).unwrap(), i + 1);
        let spares = eventually("they are replaced, and reaped", || {
            let now = spares_are(3);
            now.iter().all(|pid| !spares.contains(pid)).then_some(now)
        });
        signal(spares[0], libc::SIGKILL);
        assert_eq!(adds::spawn(i, 2).unwrap().join().unwrap(), i + 2);
    }
    // One that does not wake up is given up.
    prewarm(1).unwrap();
    let stopped = spares_are(1)[0];
    signal(stopped, libc::SIGSTOP);
    eventually("it is stopped", || (state(stopped) == Some('T')).then_some(()));
    assert_eq!(adds::run(1, 2).unwrap(), 3);
    assert!(!spares_are(1).contains(&stopped));
}

fn leak_nothing() {
    adds::run(1, 1).unwrap();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let (before, threads_before) = (settled(), threads());
    for _ in 0..3 {
        prewarm(4).unwrap();
        let work = |i: u32| {
            assert_eq!(adds::run(i, 1).unwrap(), i + 1);
            assert_eq!(exits::run(3).unwrap_err().exit_status().unwrap().code(), Some(3));
            let error = panics::call("x".into()).stderr(Stdio::null()).run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Panicked);
            let error = sleeps::call().timeout(Duration::from_millis(20)).run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            drop(sleeps::call().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
            let mut killed = sleeps::spawn().unwrap();
            killed.kill().unwrap();
            assert_eq!(killed.join().unwrap_err().kind(), ErrorKind::Cancelled);
            adds::spawn(1, 2).unwrap().detach().unwrap();
        };
        std::thread::scope(|scope| (0..4).for_each(|i| drop(scope.spawn(move || (0..5).for_each(|_| work(i))))));
        spares_are(4);
        prewarm(0).unwrap();
    }
    // The keeper, a thread with descriptors of its own, ends a moment later.
    eventually("it ends", || (threads() == threads_before).then_some(()));
    comes_to(&before);
}

/// Prints the ids of those that wait, and waits to be killed.
fn and_their_parent() {
    prewarm(2).unwrap();
    println!("{}", spares_are(2).iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
