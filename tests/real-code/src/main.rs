//! Puts the probes into every function of the crates that `crates/Cargo.toml` lists, and says what rustc makes of it.
//!
//! `cargo run --manifest-path tests/real-code/Cargo.toml`; it downloads the crates and takes some minutes. Arguments are
//! names of crates, to try only those; without any, the table in `RESULTS.md` is written. With `--blocks` the attribute is
//! for impl blocks as wholes, and not for each of their functions.
//!
//! Each crate is copied and compiled as it is; one that does not compile is left out. Then each of its functions gets
//! `#[spawn_safe]`, whose probes are those of entries, and nothing else changes. An error about something that is a
//! static which can change is a true alarm: the static is put into the function's `allow_static`. All other errors, and
//! warnings that were not there before, are false alarms, and the attribute is taken away. This is done again and again
//! until all compiles, as one error hides others.

mod alarms;
mod compiler;
mod packages;
mod sources;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use alarms::Alarm;
use packages::Package;
use sources::Source;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// More would mean that it goes in circles.
const ROUNDS: usize = 20;

/// A crate, and what has come of it.
struct Tried {
    package: Package,
    /// Its files that are compiled here.
    sources: Vec<Source>,
    /// Whether it compiles as it is.
    compiles: bool,
    /// Whether it compiles in the end.
    finished: bool,
    alarms: Vec<Alarm>,
}

fn main() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut only: BTreeSet<String> = env::args().skip(1).collect();
    let blocks = only.remove("--blocks");
    let place = env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../../target"), PathBuf::from);
    fs::create_dir_all(&place)?;
    let place = place.canonicalize()?.join("real-code");
    let packages = packages::copy(&here.join("crates"), &here.join("../../runtime").canonicalize()?, &place, &only)?;
    let (mut tried, before) = as_they_are(&place, packages, blocks)?;
    let statics = sources::statics(&place)?;
    for round in 1..=ROUNDS {
        for source in tried.iter_mut().flat_map(|one| &mut one.sources) {
            source.write()?;
        }
        let now = compiler::check(&place)?;
        let found = tried.iter_mut().map(|one| one.learn(&now, &before, &statics)).sum::<usize>();
        eprintln!("round {round}: {found} alarms");
        if found == 0 {
            break;
        }
    }
    let table = table::of(&tried);
    println!("{table}");
    if only.is_empty() && !blocks {
        table::write(&here.join("RESULTS.md"), &table)?;
    }
    match tried.iter().flat_map(|one| &one.alarms).filter(|alarm| !alarm.is_true).count() {
        0 => Ok(()),
        false_alarms => Err(format!("{false_alarms} false alarms").into()),
    }
}

/// Compiles the crates without probes.
fn as_they_are(place: &Path, packages: Vec<Package>, blocks: bool) -> Result<(Vec<Tried>, compiler::Output)> {
    let output = compiler::check(place)?;
    let files = compiler::files(place)?;
    let mut tried = Vec::new();
    for package in packages {
        let compiles = output.compiled.contains(&package.name);
        if !compiles {
            eprintln!("left out, as it does not compile: {} {}", package.name, package.version);
        }
        let own = files.iter().filter(|file| compiles && file.starts_with(&package.place));
        let sources = own.filter_map(|file| Source::read(file, blocks).transpose()).collect::<Result<_>>()?;
        tried.push(Tried { package, sources, compiles, finished: false, alarms: vec![] });
    }
    Ok((tried, output))
}

impl Tried {
    /// Takes notice of what rustc says. How many alarms something could be done about.
    fn learn(&mut self, now: &compiler::Output, before: &compiler::Output, statics: &sources::Statics) -> usize {
        self.finished = now.compiled.contains(&self.package.name);
        let messages = now.of(&self.package.name).filter(|message| message.is_error || !before.has(message));
        let mut found = 0;
        for message in messages {
            let alarm = Alarm::new(message, &self.package, statics);
            let source = self.sources.iter_mut().find(|source| source.path == message.file);
            if let Some(function) = source.and_then(|source| source.function_at(message.line)) {
                function.answer(alarm.is_true.then_some(alarm.name.as_str()));
                found += 1;
            }
            if !self.alarms.iter().any(|known| known.is_same(&alarm)) {
                self.alarms.push(alarm);
            }
        }
        found
    }
}
