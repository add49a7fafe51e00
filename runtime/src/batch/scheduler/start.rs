//! Handing an array over to a scheduler, and asking what it has of it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Kind, Scheduler};
use crate::batch::element::{ALL, RESTARTS};
use crate::batch::folder::{Folder, read_start, soon};
use crate::batch::texts;
use crate::error::Error;
use crate::pool::words;
use crate::registry::{self, Dispatch};
use crate::sys::BATCH_VARIABLE;
use crate::wire::{TOKEN_BEFORE_MAIN, TOKEN_MAIN};

/// How much of what a command says is looked at.
const MOST_SAID: u64 = 1 << 20;

/// Slurm's variable for the number of an element.
const SLURM_NUMBER: &str = "SLURM_ARRAY_TASK_ID";

/// By which variable a scheduler tells the number of an element, those that are known. HyperQueue first, as its workers are jobs of
/// the others, whose variables their tasks inherit.
const NUMBERS: [&str; 6] =
    ["HQ_TASK_ID", SLURM_NUMBER, "PBS_ARRAY_INDEX", "PBS_ARRAYID", "SGE_TASK_ID", "LSB_JOBINDEX"];

/// What else a job is told of itself, and this library looks at.
const NODE: &str = "SLURMD_NODENAME";

/// What is submitted.
#[derive(Clone, Copy, Debug)]
pub(in crate::batch) struct Order<'a> {
    pub(in crate::batch) folder: &'a Folder,
    /// The number of the batch.
    pub(in crate::batch) batch: u64,
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
        fs::write(&path, self.script(order, &program)).map_err(|error| texts::not_written(&path, error))?;
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
        let mut submits = Command::new(program);
        // This process may be a job itself, and some schedulers pass the environment on to the new one.
        for own in NUMBERS.iter().chain(&RESTARTS).chain([&NODE]) {
            submits.env_remove(own);
        }
        let status = submits
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

    /// What runs one element.
    fn script(&self, order: &Order<'_>, program: &Path) -> Vec<u8> {
        let numbers = match self.kind {
            Kind::Slurm { .. } => &[SLURM_NUMBER][..],
            _ => &NUMBERS,
        };
        // Its own variables have names that nobody's environment has, as it would change them there for the tasks.
        // LSF says 0 to a job that is in no array, and numbers those that are from 1 on; Grid Engine says `undefined`.
        let value = |name: &&str| match *name {
            "LSB_JOBINDEX" => format!(" \"${{{name}#0}}\""),
            name => format!(" \"${name}\""),
        };
        let numbers: String = numbers.iter().map(value).collect();
        let (token, batch, submission, name) = (token(), order.batch, order.submission, order.name);
        let log = order.folder.log(submission, "").into_os_string();
        let log = log.as_encoded_bytes().strip_suffix(b".log").unwrap_or_default();
        let mut text = format!(
            "#!/bin/sh\n\
             # One element of the array {name}: it runs the tasks that are its own. Its number is the first argument, or what the\n\
             # scheduler has put into the environment.\n\
             _number=\n\
             for _told in \"$1\"{numbers}; do\n    \
                 case $_told in\n    \
                 '' | *[!0-9]*) ;;\n    \
                 *) _number=$_told; break ;;\n    \
                 esac\n\
             done\n\
             _log="
        )
        .into_bytes();
        text.extend(quoted(log));
        text.extend_from_slice(
            format!(
                "$_number.log\n\
                 # What is printed is there at once, and whatever the scheduler does with it.\n\
                 if (: >>\"$_log\") 2>/dev/null; then exec >>\"$_log\" 2>&1; fi\n\
                 {BATCH_VARIABLE}=\"{token};{batch:016x};{submission};$_number;${{{NODE}:-$(uname -n)}};\""
            )
            .as_bytes(),
        );
        text.extend(quoted(order.folder.root().as_os_str().as_encoded_bytes()));
        text.extend_from_slice(format!("\nexport {BATCH_VARIABLE}\nexec ").as_bytes());
        text.extend(quoted(program.as_os_str().as_encoded_bytes()));
        text.push(b'\n');
        text
    }

    /// The command that submits the script.
    fn submitting(&self, order: &Order<'_>, script: &Path) -> Vec<OsString> {
        let last = order.elements - 1;
        match &self.kind {
            Kind::Local { .. } => Vec::new(),
            Kind::Slurm { arguments } => {
                let at_once = self.at_once.map(|most| format!("%{most}")).unwrap_or_default();
                let mut output = OsString::from("--output=");
                output.push(slurm_log(order));
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
                let (count, end) = (order.elements.to_string(), last.to_string());
                let range = if last == 0 { "0-1:2".to_owned() } else { format!("0-{last}") };
                let values: [(&str, &OsStr); 6] = [
                    ("{script}", script.as_os_str()),
                    ("{last}", end.as_ref()),
                    ("{count}", count.as_ref()),
                    ("{range}", range.as_ref()),
                    ("{name}", order.name.as_ref()),
                    ("{logs}", logs),
                ];
                let mut command: Vec<OsString> = words.iter().map(|word| replaced(word, &values)).collect();
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
                    let values = [("{name}", name.as_ref())];
                    let command: Vec<OsString> = words.iter().map(|word| replaced(word, &values)).collect();
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

/// As a POSIX shell takes it for one word, whatever it is.
fn quoted(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// The word with these values in the places of what stands for them. What is in a value stands for itself.
fn replaced(word: &OsStr, values: &[(&str, &OsStr)]) -> OsString {
    // What is no text has no such places in it.
    let Some(mut rest) = word.to_str() else { return word.to_owned() };
    let mut whole = OsString::new();
    while !rest.is_empty() {
        let first = values.iter().filter_map(|&(place, value)| Some((rest.find(place)?, place, value))).min();
        let Some((at, place, value)) = first else { break };
        whole.push(&rest[..at]);
        whole.push(value);
        rest = &rest[at + place.len()..];
    }
    whole.push(rest);
    whole
}

/// The pattern of the paths to which Slurm itself writes, which the script goes on with.
fn slurm_log(order: &Order<'_>) -> OsString {
    let log = order.folder.log(order.submission, "");
    let folder = log.parent().unwrap_or(order.folder.root()).as_os_str();
    match folder.to_str() {
        // A backslash takes from all other signs what they mean, and there is none that gives it back.
        Some(folder) if !folder.contains('\\') => {
            format!("{}/{}-%a.log", folder.replace('%', "%%"), order.submission).into()
        }
        _ => "/dev/null".into(),
    }
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
    let mut orders = OsString::from(format!("{};{:016x};{};{ALL};;", token(), order.batch, order.submission));
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
        Order { folder, batch: 0xfe, name: "spawnabc-2", submission: 2, elements: 3 }
    }

    #[test]
    fn commands_are_what_each_scheduler_takes() {
        let folder = Folder::new(&std::env::temp_dir().join("50%j")).unwrap();
        let script = folder.submission(2, ".sh");
        let words = |scheduler: &Scheduler| scheduler.submitting(&order(&folder), &script);
        let fixed = ["sbatch", "--parsable", "--job-name=spawnabc-2", "--array=0-2%2", "--ntasks=1", "--requeue"];
        let log = folder.log(2, "@").to_str().unwrap().replace('%', "%%").replace('@', "%a");
        let output = format!("--output={log}");
        let rest = ["--open-mode=append", &output, "--time=10:00", script.to_str().unwrap()];
        assert_eq!(words(&Scheduler::slurm(["--time=10:00"]).at_once(2)), [&fixed[..], &rest[..]].concat());
        let pbs = Scheduler::command(["qsub", "-J", "0-{last}", "-N", "{name}"]);
        assert_eq!(words(&pbs), ["qsub", "-J", "0-2", "-N", "spawnabc-2", script.to_str().unwrap()]);
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
    fn what_is_in_a_path_stands_for_itself() {
        let root = std::env::temp_dir().join("{last} \\ {name}");
        let folder = Folder::new(&root).unwrap();
        let script = folder.submission(2, ".sh");
        let scheduler = Scheduler::command(["{script}{last}", "{logs}", "{range}", "{", "{x}{"]);
        let path = script.to_str().unwrap();
        let logs = root.join("logs");
        let filled = [&format!("{path}2"), logs.to_str().unwrap(), "0-2", "{", "{x}{"];
        assert_eq!(scheduler.submitting(&order(&folder), &script), filled);
        // PBS takes no range of one.
        let one = Order { elements: 1, ..order(&folder) };
        assert_eq!(scheduler.submitting(&one, &script)[2], "0-1:2");
        assert_eq!(slurm_log(&one), "/dev/null");
    }

    #[cfg(unix)]
    #[test]
    fn the_script_says_where_and_what() {
        let folder = Folder::new(&std::env::temp_dir().join("it's \"$x\" `y`")).unwrap();
        let told = |scheduler: &Scheduler, argument: Option<&str>, told: &[(&str, &str)]| {
            let mut shell = Command::new("sh");
            // Instead of the program.
            let script = scheduler.script(&order(&folder), Path::new("/usr/bin/env"));
            shell.args(["-c".as_ref(), OsStr::new(std::str::from_utf8(&script).unwrap()), "script".as_ref()]);
            shell.args(argument).env_clear().env("PATH", "/bin:/usr/bin").envs(told.iter().copied());
            let output = String::from_utf8(shell.output().unwrap().stdout).unwrap();
            let told = output.lines().find_map(|line| line.strip_prefix("SPAWNSAFE_BATCH=")).unwrap().to_owned();
            let told = told.split_once(&format!(";{:016x};2;", 0xfe)).unwrap().1.to_owned();
            assert!(told.ends_with(&format!(";{}", folder.root().display())), "{told}");
            told.split_once(';').unwrap().0.to_owned()
        };
        let any = Scheduler::command(["x"]);
        for name in NUMBERS {
            assert_eq!(told(&any, None, &[(name, "12")]), "12", "{name}");
            assert_eq!(told(&any, Some("3"), &[(name, "12")]), "3", "{name}");
            assert_eq!(told(&any, None, &[(name, "undefined")]), "", "{name}");
            assert_eq!(told(&any, None, &[(name, "")]), "", "{name}");
        }
        // What a job of LSF without an array has, a task of HyperQueue in a job of Slurm, and a job of Grid Engine without an array.
        assert_eq!(told(&any, None, &[("LSB_JOBINDEX", "0")]), "");
        assert_eq!(told(&any, None, &[("LSB_JOBINDEX", "10")]), "10");
        assert_eq!(told(&any, None, &[("SLURM_ARRAY_TASK_ID", "7"), ("HQ_TASK_ID", "0")]), "0");
        assert_eq!(told(&any, None, &[("SGE_TASK_ID", "undefined"), ("LSB_JOBINDEX", "4")]), "4");
        let slurm = Scheduler::slurm([""; 0]);
        let all: Vec<_> = NUMBERS.iter().map(|name| (*name, if *name == SLURM_NUMBER { "5" } else { "6" })).collect();
        assert_eq!(told(&slurm, None, &all), "5");
        assert_eq!(told(&slurm, None, &[("PBS_ARRAY_INDEX", "6")]), "");
    }
}
