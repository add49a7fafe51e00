//! A package of its own for programs that cannot be targets of this one: that do not compile, that are of another
//! edition, or that know the library by another name.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A package below the target directory, written anew for each test.
pub(crate) struct Package {
    name: &'static str,
    edition: &'static str,
    library: &'static str,
    programs: Vec<PathBuf>,
}

impl Package {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, edition: "2024", library: "spawnsafe", programs: vec![] }
    }

    #[allow(dead_code, reason = "not every test crate needs it")]
    pub(crate) fn edition(self, edition: &'static str) -> Self {
        Self { edition, ..self }
    }

    /// The name under which its programs know the library.
    #[allow(dead_code, reason = "not every test crate needs it")]
    pub(crate) fn library(self, library: &'static str) -> Self {
        Self { library, ..self }
    }

    pub(crate) fn programs(self, programs: &[PathBuf]) -> Self {
        Self { programs: programs.to_vec(), ..self }
    }

    /// Runs cargo on it. Dependencies are shared with the build that this test is of.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Output {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let dir = scratch.join("packages").join(self.name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("Cargo.toml"), self.manifest(root)).unwrap();
        // The versions that are there already, so that nothing need be downloaded.
        fs::write(dir.join("Cargo.lock"), fs::read(root.join("Cargo.lock")).unwrap()).unwrap();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).arg("--offline").arg("--target-dir").arg(scratch.parent().unwrap()).current_dir(&dir);
        if let Some(target) = std::env::var_os("SPAWNSAFE_TARGET") {
            cargo.arg("--target").arg(target);
        }
        cargo.output().unwrap()
    }

    /// Builds all programs, which must succeed without a warning.
    pub(crate) fn build(&self) {
        let output = self.cargo(&["build", "--quiet"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }

    /// Runs a program, which must succeed, and gives what it printed.
    pub(crate) fn run(&self, program: &str) -> String {
        let output = self.cargo(&["run", "--quiet", "--bin", program]);
        assert!(output.status.success(), "{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn manifest(&self, root: &Path) -> String {
        let Self { name, edition, library, programs } = self;
        let mut manifest = format!(
            "[package]\nname = \"spawnsafe-{name}\"\nedition = \"{edition}\"\n\n[workspace]\n\n[dependencies]\n\
             {library} = {{ package = \"spawnsafe\", path = {:?} }}\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\n\
             lazy_static = \"1\"\nonce_cell = \"1\"\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"rt\", \"rt-multi-thread\"] }}\n",
            root.join("runtime")
        );
        for path in programs {
            let program = path.file_stem().unwrap();
            write!(manifest, "\n[[bin]]\nname = {program:?}\npath = {path:?}\n").unwrap();
        }
        manifest
    }
}
