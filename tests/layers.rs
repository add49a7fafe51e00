//! The order of the library's modules: each imports only from rows below it, and the system is known in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the top: a module may use those in later rows, and none of its own.
const ROWS: &[&[&str]] = &[
    &["lib", "__private"],
    &["batch"],
    &["pool"],
    &["handle"],
    &["launch", "child"],
    &["inherit", "channel", "passed", "shared"],
    &["registry", "link", "portable", "probe"],
    &["wire", "sys", "trace"],
    &["error", "features"],
];

/// Where unsafe code may stand. That of `probe` is never run: it reads statics in const evaluation.
const UNSAFE: &[&str] = &["sys/", "child/boot.rs", "portable/trust.rs", "probe.rs"];

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src")
}

/// All source files, by their path below the root.
fn sources() -> BTreeMap<String, String> {
    fn collect(dir: &Path, root: &Path, into: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                into.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let (root, mut files) = (source_root(), BTreeMap::new());
    collect(&root, &root, &mut files);
    assert!(files.len() > 30, "the sources are where this test looks for them");
    files
}

/// The top-level module that a file belongs to.
fn module(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    match first.strip_suffix(".rs").unwrap_or(first) {
        "private" => "__private",
        name => name,
    }
}

fn row(module: &str) -> usize {
    ROWS.iter().position(|row| row.contains(&module)).unwrap_or_else(|| {
        panic!("`{module}` has no place in the order: say in ARCHITECTURE.md and here where it belongs")
    })
}

/// Code without comments and texts, in which `crate::` would mean nothing, and without what is compiled for tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    source.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that some code names with `crate::`, also in a group.
fn imports(code: &str) -> BTreeSet<&str> {
    let first_word =
        |rest: &'_ str| -> usize { rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()) };
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => _ = found.insert(&rest[..first_word(rest)]),
            Some(group) => {
                let group = group.split('}').next().unwrap();
                found.extend(group.split(',').map(str::trim).map(|item| &item[..first_word(item)]));
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn each_module_imports_from_rows_below_it() {
    let mut faults = Vec::new();
    for (file, source) in sources() {
        let from = module(&file);
        if from == "lib" || file.ends_with("tests.rs") {
            continue;
        }
        let code = code(&source).replace("$crate::", "");
        for to in imports(&code) {
            // Macros and types at the root are named by that name.
            if to.chars().next().is_some_and(char::is_uppercase) || to == from {
                continue;
            }
            if row(to) <= row(from) {
                faults.push(format!("{file} uses `{to}`"));
            }
        }
    }
    assert!(faults.is_empty(), "against the order: {faults:#?}");
}

#[test]
fn only_sys_knows_the_system() {
    for (file, source) in sources().iter().filter(|(file, _)| !file.starts_with("sys/")) {
        for word in ["cfg(unix", "cfg(windows", "target_os", "target_family", "std::os::", "libc::", "rustix::"] {
            assert!(!code(source).contains(word), "{file} contains `{word}`");
        }
    }
}

#[test]
fn unsafe_code_stands_where_it_is_allowed_and_nowhere_else() {
    for (file, source) in sources() {
        let is_unsafe = code(&source).contains("allow(unsafe_code)");
        assert!(!is_unsafe || UNSAFE.iter().any(|allowed| file.starts_with(allowed)), "{file} allows unsafe code");
    }
}

#[test]
fn a_file_has_a_head_and_a_few_hundred_lines() {
    for (file, source) in sources() {
        assert!(source.starts_with("//! "), "{file} does not say what it is for");
        assert!(source.lines().count() <= 500, "{file} has {} lines", source.lines().count());
    }
}

/// That the test would notice.
#[test]
fn imports_are_found() {
    let code =
        code("use crate::{handle, sys::Stream};\nuse crate::wire::Packer; // crate::child\nlet x = crate::link::f();");
    assert_eq!(imports(&code), BTreeSet::from(["handle", "link", "sys", "wire"]));
}

#[test]
fn imports_of_tests_are_not() {
    let code = code("a();\ncrate::link::b();\n#[cfg(test)]\nmod tests {\n    use crate::handle;\n}\n");
    assert_eq!(imports(&code), BTreeSet::from(["link"]));
}
