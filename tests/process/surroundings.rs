//! What a child finds around it: arguments, environment, directory, streams, name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;

use spawnsafe::{ErrorKind, Stdio, child_entry};

#[child_entry]
fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

#[test]
fn arguments_are_those_of_the_parent() {
    assert_eq!(arguments::run().unwrap(), arguments());
}

#[child_entry]
fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

#[test]
fn the_environment_is_that_of_the_parent_and_no_more() {
    assert_eq!(environment::run().unwrap(), environment());
}

#[test]
fn the_environment_can_be_changed() {
    let changed = environment::call().env("A", "1").env_remove("PATH").envs([("B", "2"), ("C", "3")]).run().unwrap();
    assert_eq!(changed.get("A".as_ref() as &std::ffi::OsStr), Some(&"1".into()));
    assert!(!changed.contains_key("PATH".as_ref() as &std::ffi::OsStr));
    let cleared = environment::call().env("A", "1").env_clear().env("B", "=2=").run().unwrap();
    assert_eq!(cleared, BTreeMap::from([("B".into(), "=2=".into())]));
}

#[test]
fn an_impossible_variable_is_an_error() {
    for (key, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\0")] {
        assert_eq!(environment::call().env(key, value).run().unwrap_err().kind(), ErrorKind::Spawn);
    }
}

#[child_entry]
fn nested_environment() -> BTreeMap<OsString, OsString> {
    environment::run().unwrap()
}

#[test]
fn grandchildren_see_none_of_the_librarys_variables() {
    assert_eq!(nested_environment::run().unwrap(), environment());
    let output = std::process::Command::new("env").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("SPAWNSAFE"));
}

#[child_entry]
fn directory() -> PathBuf {
    std::env::current_dir().unwrap()
}

#[test]
fn the_working_directory() {
    assert_eq!(directory::run().unwrap(), directory());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    assert_eq!(directory::call().current_dir(&path).run().unwrap(), path);
    let error = directory::call().current_dir(path.join("missing")).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    assert!(error.to_string().contains("missing"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_working_directory_that_is_not_unicode() {
    use std::os::unix::ffi::OsStrExt as _;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    std::fs::create_dir(&path).unwrap();
    assert_eq!(directory::call().current_dir(&path).run().unwrap(), path);
}

#[child_entry]
fn speaks(text: &str) -> String {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    // Not a whole line: std holds it back until the process exits, or this library flushes it.
    print!("out {text}");
    eprint!("err {text}");
    input
}

#[test]
fn streams_are_the_users() {
    let mut child =
        speaks::call("x").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"in").unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.join().unwrap(), "in");
    assert_eq!((out.as_str(), err.as_str()), ("out x", "err x"));
}

#[test]
fn streams_can_be_files_and_pipes_of_other_children() {
    let mut first = speaks::call("1").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let second = speaks::call("2")
        .stdin(first.stdout.take().unwrap())
        .stdout(tempfile::tempfile().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(first.join().unwrap(), "");
    assert_eq!(second.join().unwrap(), "out 1");
}

#[child_entry]
fn process_name() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap().trim_end().to_owned()
}

#[test]
fn the_name_of_the_process() {
    assert_eq!(process_name::call().name("worker 7").run().unwrap(), "worker 7");
    assert_eq!(process_name::call().name("longer than the system keeps").run().unwrap(), "longer than the");
    // The thread's name in a test is the test's; the program's is the main thread's.
    assert_eq!(process_name::run().unwrap(), process_name());
}

#[child_entry]
fn descriptors() -> BTreeMap<u32, String> {
    spawnsafe_tests::open_descriptors()
}

#[test]
fn a_child_has_no_descriptor_but_its_own() {
    let _open = std::fs::File::open("/dev/null").unwrap();
    let mut descriptors = descriptors::call().run().unwrap();
    for (number, target) in spawnsafe_tests::inheritable_descriptors() {
        assert_eq!(descriptors.remove(&number), Some(target));
    }
    let kinds: Vec<_> = descriptors.values().map(|target| target.split_once(":[").unwrap().0).collect();
    assert!(matches!(*kinds, ["pipe", "socket"] | ["socket", "pipe"]), "{descriptors:?}");
}

#[child_entry]
fn signals() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let mask = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap()
    };
    (mask("SigBlk:"), mask("SigIgn:"))
}

#[test]
fn no_signal_is_blocked_in_a_child() {
    let blocked = std::thread::spawn(|| {
        block_all_signals();
        (signals().0, signals::run().unwrap().0)
    });
    let (here, in_child) = blocked.join().unwrap();
    assert_ne!(here, 0);
    assert_eq!(in_child, 0);
}

/// For this thread, which must end soon.
#[allow(unsafe_code)]
fn block_all_signals() {
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: sigfillset(3) initializes the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set is initialized; the old mask need not be returned.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
}
