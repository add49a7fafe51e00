//! What entries cost that are only there: the start of a child of a program with many of them, and its build.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A program with so many entries.
pub(crate) struct Program {
    pub(crate) library: &'static str,
    pub(crate) entries: usize,
    pub(crate) build_seconds: f64,
    pub(crate) bytes: u64,
    /// Of a start to its result, the median, in microseconds.
    pub(crate) start: f64,
}

/// A library that registers functions, and the source of a program with so many.
type Library = (&'static str, fn(usize) -> String);

pub(crate) const SPAWNSAFE: Library = ("spawnsafe", spawnsafe);
pub(crate) const CROSSMIST: Library = ("crossmist", crossmist);

/// Builds and measures programs of these libraries.
pub(crate) fn programs(libraries: &[Library], rounds: usize) -> Vec<Program> {
    let mut built = Vec::new();
    for entries in [10, 100, 1_000, 10_000] {
        for (library, source) in libraries {
            println!("entries: {entries}, {library}");
            built.push((*library, entries, build(library, entries, &source(entries))));
        }
    }
    let mut times = vec![Vec::new(); built.len()];
    for _ in 0..rounds {
        for ((_, _, (program, ..)), times) in built.iter().zip(&mut times) {
            let output = Command::new(program).output().expect("it starts");
            times.push(String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("it prints a number"));
        }
    }
    let medians = times.into_iter().map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let rows = built.into_iter().zip(medians);
    rows.map(|((library, entries, (_, build_seconds, bytes)), start)| Program {
        library,
        entries,
        build_seconds,
        bytes,
        start,
    })
    .collect()
}

/// The program, how long its own crate took to build, and its size without debug information.
fn build(library: &str, entries: usize, source: &str) -> (PathBuf, f64, u64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = root.join("target/entries").join(format!("{library}-{entries}"));
    fs::create_dir_all(dir.join("src")).expect("the target folder can be written");
    let runtime = root.join("../../runtime");
    let dependency = match library {
        "spawnsafe" => format!("spawnsafe = {{ path = {runtime:?} }}"),
        _ => "crossmist = \"1.1\"".to_owned(),
    };
    let manifest = format!(
        "[package]\nname = \"entries-{library}-{entries}\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         {dependency}\n\n[profile.release]\nstrip = true\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("the target folder can be written");
    fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).expect("there is a lock file");
    let target = root.join("target/entries/target");
    let cargo = || {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--quiet", "--target-dir"]).arg(&target).current_dir(&dir);
        assert!(cargo.status().expect("cargo runs").success());
    };
    // The libraries first, so that they are not counted.
    fs::write(dir.join("src/main.rs"), "fn main() {}").expect("the target folder can be written");
    cargo();
    fs::write(dir.join("src/main.rs"), source).expect("the target folder can be written");
    let start = Instant::now();
    cargo();
    let seconds = start.elapsed().as_secs_f64();
    let program = target.join("release").join(format!("entries-{library}-{entries}"));
    let bytes = fs::metadata(&program).expect("it is built").len();
    (program, seconds, bytes)
}

/// The middle one of 21 starts, after one that warms up.
const MEASURE: &str = "    let mut times: Vec<_> = (0..22).map(|_| { let start = std::time::Instant::now(); RUN; \
                       start.elapsed().as_nanos() }).skip(1).collect();\n    times.sort();\n    \
                       println!(\"{}\", times[10] as f64 / 1000.0);\n";

fn spawnsafe(entries: usize) -> String {
    let run = MEASURE.replace("RUN", "entry_0::run(1).unwrap()");
    let mut source = format!("#[spawnsafe::process_main]\nfn main() {{\n{run}}}\n");
    for index in 0..entries {
        _ = writeln!(source, "#[spawnsafe::child_entry]\npub fn entry_{index}(x: u64) -> u64 {{ x + {index} }}");
    }
    source
}

fn crossmist(entries: usize) -> String {
    let run = MEASURE.replace("RUN", "entry_0.run(1).unwrap()");
    let mut source = format!("#[crossmist::main]\nfn main() {{\n{run}}}\n");
    for index in 0..entries {
        _ = writeln!(source, "#[crossmist::func]\npub fn entry_{index}(x: u64) -> u64 {{ x + {index} }}");
    }
    source
}
