//! Who is compared, and how each is asked.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What a contestant's process is made of, and so what it guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program started anew, by this library.
    Own,
    /// The program started anew, by another.
    Anew,
    /// A copy of the parent, with its memory, or of a process that had run part of it.
    Copy,
    /// No process.
    Thread,
}

/// One way to run functions elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Contestant {
    fn new(name: &'static str, kind: Kind, program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { name, kind, program: program.into(), arguments }
    }

    /// Starts the process that measures.
    pub(crate) fn enter(&self) -> Entered {
        let mut process = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let to = process.stdin.take().expect("it is piped");
        let from = BufReader::new(process.stdout.take().expect("it is piped"));
        Entered { name: self.name, process, to: Some(to), from }
    }
}

/// A contestant that is there.
pub(crate) struct Entered {
    name: &'static str,
    process: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Entered {
    /// `None` if it cannot.
    pub(crate) fn ask(&mut self, question: &str) -> Option<f64> {
        self.answer(question).unwrap_or_else(|answer| panic!("{} says {answer:?} to {question:?}", self.name))
    }

    /// What it says if that is no answer.
    fn answer(&mut self, question: &str) -> Result<Option<f64>, String> {
        let to = self.to.as_mut().expect("it is there until it is dropped");
        writeln!(to, "{question}").map_err(|error| error.to_string())?;
        let mut answer = String::new();
        self.from.read_line(&mut answer).map_err(|error| error.to_string())?;
        match answer.trim() {
            "-" => Ok(None),
            answer => answer.parse().map(Some).map_err(|_| answer.to_owned()),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // It ends when nothing more is asked; one that does not is not to hold up the others.
        drop(self.to.take());
        for _ in 0..200 {
            match self.process.try_wait() {
                Ok(None) => std::thread::sleep(std::time::Duration::from_millis(10)),
                _ => return,
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// All that this machine has, in the order of the tables. What is left out is said.
pub(crate) fn all() -> Vec<Contestant> {
    let own = std::env::current_exe().expect("this program has a file");
    let beside = own.parent().expect("it is in a folder").to_owned();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let rust =
        |name, kind, program: &str, arguments: &[&str]| Contestant::new(name, kind, beside.join(program), arguments);
    let python = scripts.join("contestant.py").display().to_string();
    let node = scripts.join("contestant.mjs").display().to_string();
    let mut all = vec![
        rust("spawnsafe", Kind::Own, "with_spawnsafe", &["exec"]),
        rust("spawnsafe, prewarmed", Kind::Own, "with_spawnsafe", &["prewarmed"]),
        rust("spawnsafe, zygote", Kind::Own, "with_spawnsafe", &["zygote"]),
        rust("posix_spawn by hand", Kind::Anew, "with_system", &["posix_spawn"]),
        rust("std Command by hand", Kind::Anew, "with_system", &["command"]),
        rust("procspawn", Kind::Anew, "with_procspawn", &[]),
        rust("crossmist", Kind::Anew, "with_crossmist", &[]),
        rust("process-fun", Kind::Copy, "with_process_fun", &[]),
        rust("mem-isolate", Kind::Copy, "with_mem_isolate", &[]),
        rust("fork by hand", Kind::Copy, "with_system", &["fork"]),
        rust("threads", Kind::Thread, "with_threads", &[]),
    ];
    if has("python3", &["--version"]) {
        for (name, kind, way) in [
            ("Python, spawn", Kind::Anew, "spawn"),
            ("Python, forkserver", Kind::Copy, "forkserver"),
            ("Python, fork", Kind::Copy, "fork"),
            ("Python, ProcessPoolExecutor", Kind::Copy, "executor"),
        ] {
            all.push(Contestant::new(name, kind, "python3", &[&python, way]));
        }
        match has("python3", &["-c", "import loky"]) {
            true => all.push(Contestant::new("Python, loky", Kind::Anew, "python3", &[&python, "loky"])),
            false => println!("left out: loky (pip install loky)"),
        }
    } else {
        println!("left out: Python (there is no python3)");
    }
    if has("node", &["--version"]) {
        all.push(Contestant::new("Node, child_process", Kind::Anew, "node", &[&node, "fork"]));
        match scripts.join("node_modules/piscina").exists() {
            true => all.push(Contestant::new("Node, piscina", Kind::Thread, "node", &[&node, "piscina"])),
            false => println!("left out: piscina (npm install --prefix benches/peers/scripts piscina)"),
        }
    } else {
        println!("left out: Node (there is no node)");
    }
    // crossmist 1.1.2 panics in its first call, also in the example of its documentation, when rustc 1.95 has built it.
    all.retain(|one| match one.enter().answer("start 1") {
        Ok(_) => true,
        Err(_) => {
            println!("left out: {} (it fails, see above)", one.name);
            false
        }
    });
    all
}

/// Whether this one is among them.
pub(crate) fn includes(all: &[Contestant], name: &str) -> bool {
    all.iter().any(|one| one.name == name)
}

fn has(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
