//! Libraries that use spawnsafe and are compiled again and again.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::measure::Times;

/// A workspace of libraries below the system's directory for such things, until it is dropped.
#[derive(Debug)]
pub(crate) struct Libraries {
    place: PathBuf,
    /// What cargo is asked for: `build` or `check`.
    command: &'static str,
    names: Vec<&'static str>,
}

/// What compiling one of them took each time: wall time, and processor time of all processes.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Times,
    pub(crate) cpu: Times,
}

impl Libraries {
    /// Writes each, by its name and source.
    pub(crate) fn new<const N: usize>(
        command: &'static str,
        libraries: [(&'static str, String); N],
    ) -> io::Result<Self> {
        let place = std::env::temp_dir().join(format!("spawnsafe-bench-{}", std::process::id()));
        let names = libraries.iter().map(|(name, _)| *name).collect();
        let this = Self { place, command, names };
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let names = &this.names;
        fs::create_dir_all(&this.place)?;
        fs::write(this.place.join("Cargo.toml"), format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n"))?;
        // The same versions as here, and none to be looked for elsewhere.
        if let Ok(lock) = fs::read(repository.join("Cargo.lock")) {
            fs::write(this.place.join("Cargo.lock"), lock)?;
        }
        for (library, source) in libraries {
            fs::create_dir_all(this.place.join(library).join("src"))?;
            let runtime = repository.join("runtime");
            let manifest = format!(
                "[package]\nname = {library:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n\
                 spawnsafe = {{ path = {runtime:?} }}\n"
            );
            fs::write(this.place.join(library).join("Cargo.toml"), manifest)?;
            fs::write(this.source(library), source)?;
        }
        Ok(this)
    }

    /// Compiles all of them in turns, after a first time that also compiles what they depend on.
    pub(crate) fn compile(&self, rounds: usize) -> io::Result<Vec<Cost>> {
        let mut costs: Vec<_> = self.names.iter().map(|_| Cost::default()).collect();
        for round in 0..=rounds {
            for (library, cost) in self.names.iter().zip(&mut costs) {
                let (wall, cpu) = self.compile_one(library)?;
                if round > 0 {
                    cost.wall.push(wall);
                    cost.cpu.push(cpu);
                }
            }
        }
        Ok(costs)
    }

    /// What a build makes of a library.
    #[allow(dead_code, reason = "not every benchmark builds")]
    pub(crate) fn archive(&self, library: &str) -> PathBuf {
        self.place.join(format!("target/debug/lib{library}.rlib"))
    }

    fn source(&self, library: &str) -> PathBuf {
        self.place.join(library).join("src/lib.rs")
    }

    /// Compiles one library anew, and nothing else.
    fn compile_one(&self, library: &str) -> io::Result<(Duration, Duration)> {
        let source = self.source(library);
        fs::write(&source, fs::read(&source)?)?;
        let cpu_before = cpu_of_children();
        let start = Instant::now();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([self.command, "--quiet", "--offline", "--package", library, "--target-dir"])
            .arg(self.place.join("target"))
            // An incremental build would find that nothing has changed.
            .env("CARGO_INCREMENTAL", "0")
            .current_dir(&self.place)
            .output()?;
        let wall = start.elapsed();
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok((wall, cpu_of_children() - cpu_before))
    }
}

impl Drop for Libraries {
    fn drop(&mut self) {
        // What is left over is in a place for such things.
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn cpu_of_children() -> Duration {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: getrusage(2) writes the object that it is given.
    let error = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    assert_eq!(error, 0, "getrusage");
    // SAFETY: the call has succeeded.
    let usage = unsafe { usage.assume_init() };
    [usage.ru_utime, usage.ru_stime]
        .iter()
        .map(|time| Duration::new(time.tv_sec.unsigned_abs(), 0) + Duration::from_micros(time.tv_usec.unsigned_abs()))
        .sum()
}
