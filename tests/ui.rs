//! What must not compile, with which message, and what must compile: one program a file, each about one rule.
//!
//! Each faulty line in `ui/fail` is followed by its marks: `//~ text` stands for one error of that line, whose first
//! line contains the text. Every compiler must report the marked errors and none elsewhere. How rustc renders them
//! around our words differs from version to version, so the snapshots (`.stderr`) are compared on one version only:
//!
//! ```text
//! TRYBUILD=overwrite cargo test -p spawnsafe-tests --test ui    # writes them anew
//! ```

#[path = "ui/package.rs"]
mod package;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use package::Package;

/// The version that wrote the snapshots.
const PINNED: &str = "rustc 1.95.";

#[test]
fn faults_are_reported_where_they_are_marked() {
    let cases = cases("ui/fail");
    let output = Package::new("fail").programs(&cases).cargo(&["build", "--keep-going", "--message-format=short"]);
    let mut errors = located_errors(&String::from_utf8_lossy(&output.stderr));
    let mut wrong = String::new();
    for case in &cases {
        let source = fs::read_to_string(case).unwrap();
        let reported = errors.remove(stem(case)).unwrap_or_default();
        let marked = marks(&source);
        assert!(!marked.is_empty(), "{} marks no error", case.display());
        for (line, text) in &marked {
            if !reported.iter().any(|(at, message)| at == line && message.contains(text)) {
                wrong += &format!("{}:{line}: no error has: {text}\n", case.display());
            }
        }
        for (line, message) in &reported {
            if !marked.iter().any(|(at, _)| at == line) {
                wrong += &format!("{}:{line}: not marked: {message}\n", case.display());
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn messages_read_as_in_the_snapshots() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = String::from_utf8(Command::new(rustc).arg("--version").output().unwrap().stdout).unwrap();
    if version.starts_with(PINNED) {
        trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
    } else {
        println!("snapshots are those of {PINNED}x, this is {version}: the text is not compared, the marks are");
    }
}

#[test]
fn programs_compile_and_run() {
    let cases = cases("ui/pass");
    let package = Package::new("pass").programs(&cases);
    package.build();
    for case in &cases {
        package.run(stem(case));
    }
}

fn cases(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).unwrap();
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    cases.sort();
    assert!(!cases.is_empty(), "nothing in {dir}");
    cases
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// The marks of a program, each with the line that it is about: the last one before it that is no mark.
fn marks(source: &str) -> Vec<(usize, &str)> {
    let (mut marks, mut about) = (vec![], 0);
    for (line, text) in (1..).zip(source.lines()) {
        match text.trim_start().strip_prefix("//~ ") {
            Some(mark) => marks.push((about, mark)),
            None => about = line,
        }
    }
    marks
}

/// From `path/stem.rs:line:column: error…`: the errors of each program, with their lines.
fn located_errors(output: &str) -> BTreeMap<String, Vec<(usize, String)>> {
    let mut errors: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in output.lines() {
        let Some((place, message)) = line.split_once(": error") else { continue };
        let mut place = place.rsplitn(3, ':').skip(1);
        let (Some(Ok(line)), Some(path)) = (place.next().map(str::parse), place.next()) else { continue };
        errors.entry(stem(Path::new(path)).to_owned()).or_default().push((line, message.to_owned()));
    }
    errors
}
