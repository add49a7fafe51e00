//! Handing an array over to a scheduler, and asking what it has of it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Kind, Scheduler};
use crate::batch::element::ALL;
use crate::batch::folder::{Folder, read_start, soon};
use crate::batch::texts;
use crate::error::Error;
use crate::pool::words;
use crate::registry::{self, Dispatch};
use crate::sys::BATCH_VARIABLE;
use crate::wire::{TOKEN_BEFORE_MAIN, TOKEN_MAIN};

/// How much of what a command says is looked at.
const MOST_SAID: u64 = 1 << 20;

/// By which variable a scheduler tells the number of an element, those that are known.
const NUMBERS: [&str; 6] =
    ["SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "PBS_ARRAYID", "SGE_TASK_ID", "LSB_JOBINDEX", "HQ_TASK_ID"];

/// What is submitted.
#[derive(Clone, Copy, Debug)]
pub(in crate::batch) struct Order<'a> {
    pub(in crate::batch) folder: &'a Folder,
    pub(in crate::batch) name: &'a str,
    pub(in crate::batch) submission: u32,
    pub(in crate::batch) elements: u32,
}

/// What a scheduler still has.
#[derive(Debug)]
pub(in crate::batch) enum Queued {
    /// These elements, by the number of their submission and their own.
    Elements(HashSet<(u32, u32)>),
    /// Perhaps any element of these submissions.
    Submissions(HashSet<u32>),
}

impl Queued {
    /// Whether an element may still come that has not begun, or has vanished.
    pub(in crate::batch) fn has(&self, submission: u32, element: u32, has_begun: bool) -> bool {
        match self {
            Queued::Elements(elements) => elements.contains(&(submission, element)),
            Queued::Submissions(submissions) => !has_begun && submissions.contains(&submission),
        }
    }
}

impl Scheduler {
    /// Hands it over. Gives what the scheduler has said.
    pub(in crate::batch) fn start(&self, order: &Order<'_>) -> Result<String, Error> {
        self.try_to_start(order).inspect_err(|_| {
            // For whoever cannot ask the scheduler later. It may have it all the same, as when its answer is late.
            let _ = File::create(order.folder.submission(order.submission, ".failed"));
        })
    }

    fn try_to_start(&self, order: &Order<'_>) -> Result<String, Error> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => own_program()?,
        };
        if let Kind::Local { .. } = self.kind {
            return start_here(order, &program).map(|()| String::new());
        }
        let path = order.folder.submission(order.submission, ".sh");
        fs::write(&path, script(order, &program)).map_err(|error| texts::not_written(&path, error))?;
        let command = self.submitting(order, &path);
        let said = order.folder.submission(order.submission, ".said");
        let run = || {
            // Not by pipes: what it has left in the background may hold them for as long as it likes.
            let out = File::create(&said)?;
            let both = [out.try_clone()?, out];
            Ok::<_, io::Error>(both)
        };
        let [out, err] = run().map_err(|error| texts::not_written(&said, error))?;
        let mut words = command.iter();
        let program = words.next().ok_or_else(texts::no_command)?;
        let status = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .status()
            .map_err(|error| texts::command_not_started(&program.to_string_lossy(), error))?;
        let text = File::open(&said).and_then(|file| read_start(&file, MOST_SAID)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        match status.success() {
            true => Ok(text),
            false => Err(texts::command_failed(&shown(&command), &status.to_string(), &text)),
        }
    }

    /// The command that submits the script.
    fn submitting(&self, order: &Order<'_>, script: &Path) -> Vec<OsString> {
        let last = order.elements - 1;
        match &self.kind {
            Kind::Local { .. } => Vec::new(),
            Kind::Slurm { arguments } => {
                let at_once = self.at_once.map(|most| format!("%{most}")).unwrap_or_default();
                // The path of the directory is no pattern.
                let log = order.folder.log(order.submission, "@").into_os_string();
                let log = replaced(&replaced(&log, "%", "%%".as_ref()), "@.log", "%a.log".as_ref());
                let mut output = OsString::from("--output=");
                output.push(log);
                // `-Q` would take the number of the job away from `--parsable`.
                let mut command: Vec<OsString> = ["sbatch", "--parsable"].map(OsString::from).into();
                command.push(format!("--job-name={}", order.name).into());
                command.push(format!("--array=0-{last}{at_once}").into());
                command.extend(["--ntasks=1", "--requeue", "--open-mode=append"].map(OsString::from));
                command.push(output);
                command.extend_from_slice(arguments);
                command.push(script.into());
                command
            }
            Kind::Command { words, .. } => {
                let logs = order.folder.log(order.submission, "");
                let logs = logs.parent().unwrap_or(order.folder.root()).as_os_str();
                let values: [(&str, &OsStr); 5] = [
                    ("{script}", script.as_os_str()),
                    ("{last}", &OsString::from(last.to_string())),
                    ("{count}", &OsString::from(order.elements.to_string())),
                    ("{name}", order.name.as_ref()),
                    ("{logs}", logs),
                ];
                let fill = |word: &OsString| {
                    values.iter().fold(word.clone(), |word, (place, value)| replaced(&word, place, value))
                };
                let mut command: Vec<OsString> = words.iter().map(fill).collect();
                let has_script = words.iter().any(|word| word.to_string_lossy().contains("{script}"));
                if !has_script && !command.is_empty() {
                    command.push(script.into());
                }
                command
            }
        }
    }

    /// What it still has of these submissions, by number and name.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(in crate::batch) fn queued(&self, folder: &Folder, submissions: &[(u32, String)]) -> Result<Queued, Error> {
        match &self.kind {
            // Its elements begin at once.
            Kind::Local { .. } => Ok(Queued::Elements(HashSet::new())),
            Kind::Slurm { .. } => {
                let names: Vec<&str> = submissions.iter().map(|(_, name)| name.as_str()).collect();
                let fixed = ["squeue", "--me", "--noheader", "--array", "--format=%K %j"].map(OsString::from);
                let mut command = Vec::from(fixed);
                command.push(format!("--name={}", names.join(",")).into());
                let (status, said, complaint) = asked(&command)?;
                if !status.success() {
                    return Err(texts::command_failed(&shown(&command), &status.to_string(), &complaint));
                }
                let element = |line: &str| {
                    let (element, name) = line.trim().split_once(' ')?;
                    let (submission, _) = submissions.iter().find(|(_, other)| other == name.trim())?;
                    Some((*submission, element.parse().ok()?))
                };
                Ok(Queued::Elements(said.lines().filter_map(element).collect()))
            }
            Kind::Command { queue: None, .. } => {
                // What it has taken is there for ever, as far as anybody knows.
                let has_taken = |number: &u32| !folder.submission(*number, ".failed").exists();
                Ok(Queued::Submissions(submissions.iter().map(|(number, _)| *number).filter(has_taken).collect()))
            }
            Kind::Command { queue: Some(words), .. } => {
                let mut there = HashSet::new();
                for (submission, name) in submissions {
                    let command: Vec<OsString> =
                        words.iter().map(|word| replaced(word, "{name}", name.as_ref())).collect();
                    let (status, said, _) = asked(&command)?;
                    if status.success() && !said.trim().is_empty() {
                        there.insert(*submission);
                    }
                }
                Ok(Queued::Submissions(there))
            }
        }
    }
}

/// What the script says, or the process is told, in front of the number of the element.
fn token() -> &'static str {
    match registry::dispatch() {
        Some(Dispatch::BeforeMain) => TOKEN_BEFORE_MAIN,
        _ => TOKEN_MAIN,
    }
}

/// This program's path.
fn own_program() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(|error| texts::no_program(&error.to_string()))?;
    // A file that was replaced under this program would be another build, and one that is gone nothing at all.
    match program.exists() {
        true => Ok(program),
        false => Err(texts::no_program(&format!("{} is not there any more", program.display()))),
    }
}

/// What runs one element.
fn script(order: &Order<'_>, program: &Path) -> Vec<u8> {
    let number = NUMBERS.iter().rev().fold(String::new(), |inner, name| format!("${{{name}:-{inner}}}"));
    let (token, submission, name) = (token(), order.submission, order.name);
    let mut text = format!(
        "#!/bin/sh\n\
         # One element of the array {name}: it runs the tasks that are its own. Its number is the first argument, or what the\n\
         # scheduler has put into the environment.\n\
         number=${{1:-{number}}}\n\
         node=${{SLURMD_NODENAME:-$(uname -n)}}\n\
         {BATCH_VARIABLE}=\"{token};{submission};$number;$node;\""
    )
    .into_bytes();
    text.extend(quoted(order.folder.root().as_os_str()));
    text.extend_from_slice(format!("\nexport {BATCH_VARIABLE}\nexec ").as_bytes());
    text.extend(quoted(program.as_os_str()));
    text.push(b'\n');
    text
}

/// As a POSIX shell takes it for one word, whatever it is.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in word.as_encoded_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// The word with something in the place of all that stands for it.
fn replaced(word: &OsStr, place: &str, value: &OsStr) -> OsString {
    // What is no text has no such places in it.
    let Some(text) = word.to_str() else { return word.to_owned() };
    let mut parts = text.split(place);
    let mut whole = OsString::from(parts.next().unwrap_or_default());
    for part in parts {
        whole.push(value);
        whole.push(part);
    }
    whole
}

/// How a command is shown to people.
fn shown(command: &[OsString]) -> String {
    words::join(command, "")
}

/// How it ended, what it printed, and what it complained of.
fn asked(command: &[OsString]) -> Result<(std::process::ExitStatus, String, String), Error> {
    let (program, arguments) = command.split_first().ok_or_else(texts::no_command)?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| texts::command_not_started(&program.to_string_lossy(), error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok((output.status, text(&output.stdout), text(&output.stderr)))
}

/// Starts one process that is all elements, and waits until it is.
fn start_here(order: &Order<'_>, program: &Path) -> Result<(), Error> {
    let log = order.folder.log(order.submission, ALL);
    let files = || {
        let out = File::options().create(true).append(true).open(&log)?;
        Ok::<_, io::Error>((out.try_clone()?, out))
    };
    let (out, err) = files().map_err(|error| texts::not_written(&log, error))?;
    let mut orders = OsString::from(format!("{};{};{ALL};;", token(), order.submission));
    orders.push(order.folder.root());
    let started =
        Command::new(program).env(BATCH_VARIABLE, orders).stdin(Stdio::null()).stdout(out).stderr(err).spawn();
    let mut child = started.map_err(|error| texts::command_not_started(&program.to_string_lossy(), error))?;
    let begun = soon(|| {
        // Asked first: it may begin and end at once.
        let ended = child.try_wait().ok().flatten();
        let has_begun = (0..order.elements).all(|element| order.folder.element(order.submission, element, 1).exists());
        match has_begun || order.folder.submission(order.submission, ".refused").exists() {
            true => Some(None),
            false => ended.map(Some),
        }
    });
    if let Some(Some(status)) = begun {
        let said = File::open(&log).and_then(|file| read_start(&file, MOST_SAID)).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        return Err(texts::command_failed(&program.to_string_lossy(), &status.to_string(), said.trim()));
    }
    // It is reaped if this process is still there then.
    let reap = move || drop(child.wait());
    std::thread::Builder::new().name("spawnsafe-batch".into()).spawn(reap).map(drop).map_err(texts::no_thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(folder: &Folder) -> Order<'_> {
        Order { folder, name: "spawnsafe-1-2", submission: 2, elements: 3 }
    }

    #[test]
    fn commands_are_what_each_scheduler_takes() {
        let folder = Folder::new(&std::env::temp_dir().join("50%j")).unwrap();
        let script = folder.submission(2, ".sh");
        let words = |scheduler: &Scheduler| scheduler.submitting(&order(&folder), &script);
        let fixed = ["sbatch", "--parsable", "--job-name=spawnsafe-1-2", "--array=0-2%2", "--ntasks=1", "--requeue"];
        let log = folder.log(2, "@").to_str().unwrap().replace('%', "%%").replace('@', "%a");
        let output = format!("--output={log}");
        let rest = ["--open-mode=append", &output, "--time=10:00", script.to_str().unwrap()];
        assert_eq!(words(&Scheduler::slurm(["--time=10:00"]).at_once(2)), [&fixed[..], &rest[..]].concat());
        let pbs = Scheduler::command(["qsub", "-J", "0-{last}", "-N", "{name}"]);
        assert_eq!(words(&pbs), ["qsub", "-J", "0-2", "-N", "spawnsafe-1-2", script.to_str().unwrap()]);
        let grid = Scheduler::command(["sh", "-c", "qsub -t 1-{count} -o {logs} {script} 2>&1"]);
        let logs = folder.root().join("logs");
        let line = format!("qsub -t 1-3 -o {} {} 2>&1", logs.display(), script.display());
        assert_eq!(words(&grid), ["sh", "-c", &line]);
        assert_eq!((pbs.first(), grid.first(), Scheduler::slurm([""; 0]).first()), (0, 1, 0));
        assert_eq!(
            (pbs.elements_for(7), pbs.elements_for(5000), pbs.clone().elements(2).elements_for(7)),
            (7, 1000, 2)
        );
        assert_eq!((Scheduler::local(4).elements_for(2), Scheduler::local(4).elements_for(9)), (2, 4));
    }

    #[test]
    fn the_script_says_where_and_what() {
        let folder = Folder::new(&std::env::temp_dir().join("it's")).unwrap();
        let text = String::from_utf8(script(&order(&folder), Path::new("/a b/p"))).unwrap();
        assert!(text.starts_with("#!/bin/sh\n") && text.ends_with("\nexec '/a b/p'\n"), "{text}");
        assert!(text.contains("${1:-${SLURM_ARRAY_TASK_ID:-${PBS_ARRAY_INDEX:-"), "{text}");
        assert!(text.contains(r"it'\''s'"), "{text}");
    }
}
