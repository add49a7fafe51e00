//! What must not compile, with which message, and what must compile: one program a file, each about one rule.
//!
//! Each faulty line in `ui/fail` is followed by its marks: `//~ text` stands for one error of that line that contains the
//! text. Every compiler must report the marked errors and none elsewhere, and on others than the pinned one that is all
//! that is asked: how rustc renders them around our words differs from version to version, so the snapshots (`.stderr`)
//! are compared on that version only.
//!
//! ```text
//! TRYBUILD=overwrite cargo test -p spawnsafe-tests --test ui    # writes them anew
//! cargo +nightly test -p spawnsafe-tests --test ui              # without them
//! ```

#[path = "ui/package.rs"]
mod package;
#[path = "ui/reported.rs"]
mod reported;

use std::fs;
use std::path::{Path, PathBuf};

use package::Package;

#[test]
#[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
fn faults_are_reported_where_they_are_marked() {
    let cases = faulty();
    let mut faults = reported::faults(&Package::new("fail").programs(&cases));
    let mut wrong = String::new();
    for case in &cases {
        let source = fs::read_to_string(case).unwrap();
        let reported = faults.remove(stem(case)).unwrap_or_default();
        let marked = marks(&source);
        assert!(!marked.is_empty(), "{} marks no error", case.display());
        for (line, text) in &marked {
            if !reported.iter().any(|fault| fault.lines.contains(line) && fault.says(text)) {
                wrong += &format!("{}:{line}: no error has: {text}\n", case.display());
            }
        }
        for fault in &reported {
            if !marked.iter().any(|(line, _)| fault.lines.contains(line)) {
                wrong += &format!("{}: not marked: {fault:?}\n", case.display());
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
#[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
fn messages_read_as_in_the_snapshots() {
    match reported::is_pinned() {
        Ok(()) => trybuild::TestCases::new().compile_fail("ui/fail/*.rs"),
        Err(other) => println!("{other}: the text is not compared, the marks are"),
    }
}

#[test]
#[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
fn programs_compile_and_run() {
    let cases = cases("ui/pass");
    let package = Package::new("pass").programs(&cases);
    package.build();
    for case in &cases {
        package.run(stem(case));
    }
}

/// The programs with faults. Of what is open, each system has a type of its own.
fn faulty() -> Vec<PathBuf> {
    let mut faulty = cases("ui/fail");
    if std::env::var("SPAWNSAFE_TARGET").is_ok_and(|target| target.contains("windows")) {
        let instead = cases("ui/fail_windows");
        faulty.retain(|case| !instead.iter().any(|other| stem(other) == stem(case)));
        faulty.extend(instead);
    }
    faulty
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
