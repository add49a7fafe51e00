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
    let mut cleared = environment::call().env("A", "1").env_clear().env("B", "=2=").run().unwrap();
    if spawnsafe_tests::is_wine() {
        // It puts some of its own into the environment of every process that lacks them.
        let of_wine = |name: &str| name.starts_with("WINE") || name == "SystemDrive";
        cleared.retain(|name, _| !of_wine(&name.to_string_lossy()));
    }
    if cfg!(windows) {
        // The system's libraries need it.
        let root: OsString = "SystemRoot".into();
        assert_eq!(cleared.remove(&root), std::env::var_os(&root));
    }
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
    let (program, args) = if cfg!(windows) { ("cmd", &["/c", "set"][..]) } else { ("env", &[][..]) };
    let output = std::process::Command::new(program).args(args).output().unwrap();
    assert!(output.status.success());
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
    // On Windows the canonical form is one that is not told of a working directory.
    let path = if cfg!(windows) { dir.path().to_owned() } else { dir.path().canonicalize().unwrap() };
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

#[child_entry]
pub(super) fn prints(text: &str) -> u32 {
    print!("{text}");
    0
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
