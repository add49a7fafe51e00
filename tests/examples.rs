//! Holds what the examples print, in every environment in which a program may find itself.
//!
//! It knows the examples as programs only: cargo builds them along with the tests, and they are run from where it puts
//! them. Each has a test of its name.

use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime};

#[test]
fn random_global() {
    prints(
        "random_global",
        &[],
        "in the parent and in the child:
  pid: different
  num, the global: different
  num, passed as an argument: same
Parent Process Stop
",
    );
}

#[test]
fn pool() {
    prints(
        "pool",
        &[],
        "good and good again: 2
a terrible day: -3
this makes it crash: crashed
bad but good: 0
a thousand good texts: 1000
without a model: an error
",
    );
}

#[test]
fn generator() {
    prints(
        "generator",
        &[],
        "1000003
1000033
1000037
1000039
1000081
the child has sent at least what we took: true
",
    );
}

#[test]
fn mutated_global() {
    prints(
        "mutated_global",
        &[],
        "called here:       global 1, its value passed 1, object (2, 3)
called in a child: global 0, its value passed 1, object (2, 0)
",
    );
}

#[test]
fn custom_getstate() {
    prints("custom_getstate", &[], "__getstate__\n1 2 0\nNone\n");
}

/// What both forms of the program print.
const PYFORK: &str = "got args -i 2
2
0 - 0
1 - 2
2 - 4
3 - 6
4 - 8
5 - 10
6 - 12
7 - 14
8 - 16
9 - 18
[0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
";

#[test]
fn pyfork() {
    prints("pyfork", &["-i", "2"], PYFORK);
    prints("pyfork", &["--input", "2"], PYFORK);
}

#[test]
fn pyfork_inherit() {
    prints("pyfork_inherit", &["-i", "2"], PYFORK);
}

#[test]
fn pyfork_needs_a_number() {
    for args in [&["-i"][..], &["-i", "two"], &["-i", "2", "3"], &["2"]] {
        let output = Command::new(binary("pyfork")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        assert_eq!(text(&output.stderr), "usage: pyfork [-i INPUT]\n", "{args:?}");
    }
}

/// Neither `Working...` nor the error a second time: no child has run, neither its entry nor `main`.
#[test]
fn missing_guard() {
    prints(
        "missing_guard",
        &[],
        "child entry `missing_guard::worker`: no process was started: `main` lacks `#[spawnsafe::process_main]`, so a \
         child process would run it again; put the attribute on `fn main` (or, in a test crate or a doc-test, write \
         `spawnsafe::test_harness!();`)\n",
    );
}

#[test]
fn portable_skeleton() {
    prints("portable_skeleton", &[], "initializing the data, once\nWorking...\nthe sum is 5050\n");
}

#[test]
fn matrix() {
    prints("matrix", &["60"], "60 x 60, by a pool and by one thread: the same\n");
}

#[test]
fn prefork() {
    let server = Command::new(binary("prefork")).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut server = Killed(server);
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = said.next().unwrap();
    let address = address.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('/')).unwrap();

    let process = |page: &str| page.strip_prefix("served by process ").unwrap().trim_end().parse::<u32>().unwrap();
    let mut processes = BTreeSet::new();
    // Which of them accepts is the system's choice.
    while processes.len() < 2 {
        processes.insert(process(&get(address, "/").expect("a page")));
    }
    assert!(!processes.contains(&server.0.id()));
    assert_eq!(get(address, "/none").expect("a page"), "there is no such page\n");

    assert_eq!(get(address, "/crash"), None);
    assert!(said.next().unwrap().starts_with("a worker is replaced: child entry `prefork::serve`"));
    while processes.len() < 3 {
        processes.insert(process(&get(address, "/").expect("a page")));
    }
    drop(server);
    // With the parent its workers end, and so does the last copy of the socket.
    let end = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < end, "somebody still listens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The body of the answer, if there is one: by `curl` where that is installed, as by any user's client.
fn get(address: &str, path: &str) -> Option<String> {
    let url = format!("http://{address}{path}");
    match Command::new("curl").args(["--silent", "--max-time", "60", "--noproxy", "*", &url]).output() {
        Ok(output) => output.status.success().then(|| text(&output.stdout).to_owned()),
        Err(_) => {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
        }
    }
}

/// A program that a test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn word_count() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    // The first takes longest, so that the order of the output is not just the order in which children end.
    fs::write(file("long.txt"), "to be or not to be\n".repeat(100_000)).unwrap();
    fs::write(file("short.txt"), "  two\twords\n\nno newline at the end").unwrap();
    let not_found = File::open(file("missing.txt")).unwrap_err();

    for (environment, mut command) in in_environments("word_count", &["long.txt", "missing.txt", "short.txt"].map(file))
    {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let parent = child.id();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{environment}: {output:?}");
        assert_eq!(
            text(&output.stderr),
            format!("{}: {not_found}\n", file("missing.txt").display()),
            "standard error, {environment}"
        );
        let mut lines = text(&output.stdout).lines();
        assert_eq!(
            lines.next(),
            Some(format!("process {parent} counts 3 files, each in a process of its own").as_str()),
            "{environment}"
        );
        let mut processes = BTreeSet::from([parent]);
        for (name, counts) in [
            ("long.txt", "    600000 words    100000 lines     1900000 bytes"),
            ("short.txt", "         7 words         3 lines          34 bytes"),
        ] {
            let line = lines.next().unwrap_or_else(|| panic!("{environment}: no line for {name} in {output:?}"));
            let (counted, process) = line.split_once("  (process ").unwrap_or_else(|| panic!("{environment}: {line}"));
            assert_eq!(counted, format!("{counts}  {}", file(name).display()), "{environment}");
            let process = process.strip_suffix(')').unwrap().parse().unwrap();
            assert!(processes.insert(process), "{environment}: {process} has counted more than {name}");
        }
        let sum = lines.next().unwrap();
        assert!(sum.starts_with("    600007 words in 2 files, "), "{environment}: {sum}");
        assert_eq!(lines.next(), None, "{environment}");
    }
}

#[test]
fn word_count_without_files_says_how_to_use_it() {
    let output = Command::new(binary("word_count")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "usage: word_count FILE…\n");
}

/// A file that is not listed in `Cargo.toml` would not even be compiled.
#[test]
fn every_example_is_built_and_tested() {
    let files: BTreeSet<_> = sources().into_keys().collect();
    let manifest = fs::read_to_string(examples_dir().join("Cargo.toml")).unwrap();
    let built: BTreeSet<_> = manifest
        .split("\n[")
        .filter_map(|table| table.strip_prefix("[example]]\nname = \""))
        .map(|name| name.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(files, built, "left: in the folder, right: in Cargo.toml");
    let tests: BTreeSet<_> = include_str!("examples.rs")
        .split("\n#[test]\n")
        .filter_map(|item| item.lines().find_map(|line| line.strip_prefix("fn ")?.strip_suffix("() {")))
        .collect();
    let untested: Vec<_> = built.iter().filter(|name| !tests.contains(name.as_str())).collect();
    assert_eq!(untested, Vec::<&String>::new(), "examples without a test of their name");
}

/// Runs an example in every environment. It must succeed and print exactly this, and nothing to standard error.
#[track_caller]
fn prints(example: &str, args: &[&str], stdout: &str) {
    for (environment, mut command) in in_environments(example, args) {
        let Output { status, stdout: printed, stderr } = command.output().unwrap();
        assert_eq!(text(&stderr), "", "standard error of `{example}`, {environment}");
        assert_eq!(text(&printed), stdout, "standard output of `{example}`, {environment}");
        assert!(status.success(), "`{example}` ended with {status}, {environment}");
    }
}

/// The same program with the same arguments, ready to be started in different environments.
fn in_environments(example: &str, args: &[impl AsRef<OsStr>]) -> BTreeMap<&'static str, Command> {
    let command = || {
        let mut command = Command::new(binary(example));
        command.args(args).stdin(Stdio::null());
        command
    };
    let changed = |change: fn(&mut Command) -> &mut Command| {
        let mut command = command();
        change(&mut command);
        command
    };
    let mut environments = BTreeMap::from([
        ("as the tests are run", command()),
        ("in another working directory", changed(|command| command.current_dir("/"))),
        ("with an empty environment", changed(Command::env_clear)),
        (
            "with nothing but a path in its environment",
            changed(|command| command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)))),
        ),
        ("in the locale C", changed(|command| command.env("LANG", "C").env("LC_ALL", "C"))),
        ("with backtraces", changed(|command| command.env("RUST_BACKTRACE", "full"))),
    ]);
    if cfg!(unix) {
        // `Command` can connect standard input to nothing, but not close it.
        let mut closed = Command::new("sh");
        closed.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(binary(example)).args(args);
        environments.insert("with standard input closed", closed);
    }
    environments
}

/// The binary of an example, which lies near this test's own.
fn binary(example: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let own = std::env::current_exe().unwrap();
    let profile_dir = own.parent().and_then(Path::parent).expect("a test lies in `deps` in the profile's folder");
    let binary = |example: &str| profile_dir.join("examples").join(format!("{example}{EXE_SUFFIX}"));
    // `cargo test --workspace` has just built them. Where fewer packages are tested, they may be missing, or older than
    // what they are made of. All are looked at before the first is run, so that none is built anew while it runs.
    BUILT.call_once(|| {
        let library =
            ["runtime/src", "macros/src"].map(|dir| newest(&workspace().join(dir))).into_iter().max().flatten();
        if sources().iter().any(|(name, source)| newest(&binary(name)) < newest(source).max(library)) {
            build(profile_dir);
        }
    });
    binary(example)
}

/// The name and the file of each example.
fn sources() -> BTreeMap<String, PathBuf> {
    let files = fs::read_dir(examples_dir()).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .map(|path| (path.file_stem().unwrap().to_str().expect("a name in UTF-8").to_owned(), path))
        .collect()
}

/// When a file, or what changed last in a folder, was written. `None`, which is older than any time, if there is none.
fn newest(path: &Path) -> Option<SystemTime> {
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| newest(&entry.unwrap().path())).max().flatten(),
        Err(_) => fs::metadata(path).and_then(|metadata| metadata.modified()).ok(),
    }
}

/// Builds all examples to where this test lies. The whole workspace, as with `cargo test --workspace`: with other
/// packages, cargo might choose other features of the dependencies and compile them all once more.
fn build(profile_dir: &Path) {
    let profile = match profile_dir.file_name().and_then(OsStr::to_str).expect("the name of the profile") {
        "debug" => "dev",
        other => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = Command::new(cargo)
        .args(["build", "--workspace", "--examples", "--profile", profile, "--target-dir"])
        .arg(profile_dir.parent().expect("the target folder"))
        .current_dir(workspace())
        .status()
        .unwrap();
    assert!(status.success(), "cargo cannot build the examples: {status}");
}

fn examples_dir() -> PathBuf {
    workspace().join("examples")
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the examples print UTF-8")
}
