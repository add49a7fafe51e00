//! Who runs the elements of an array: Slurm, another scheduler by its command, or this machine.

mod start;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub(super) use start::Order;

use super::presence::SILENCE;
use super::texts;
use crate::error::Error;
use crate::pool::words;

/// The environment variable that [`Scheduler::from_env`] reads.
const VARIABLE: &str = "SPAWNSAFE_SCHEDULER";

/// How many elements an array has at most: Slurm allows 1001, unless its `MaxArraySize` says otherwise.
const ELEMENTS: u32 = 1000;

/// Who runs the tasks of a [`Batch`](crate::Batch): something that starts an array of commands, on whichever machines.
///
/// ```
/// use spawnsafe::Scheduler;
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let slurm = Scheduler::slurm(["--time=10:00", "--mem=2G"]).at_once(50);
/// let pbs = Scheduler::command(["qsub", "-N", "{name}", "-J", "{range}", "-S", "/bin/sh", "-o", "/dev/null", "-j", "oe", "{script}"])
///     .queue(["qselect", "-N", "{name}"]);
/// let grid_engine: Scheduler =
///     "command:qsub -N {name} -t 1-{count} -S /bin/sh -o /dev/null -j y {script} ; qstat -j {name}".parse()?;
/// let here = Scheduler::local(4);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    kind: Kind,
    elements: u32,
    at_once: Option<u32>,
    heartbeat: Duration,
    program: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Local { processes: u32 },
    Slurm { arguments: Vec<OsString> },
    Command { words: Vec<OsString>, queue: Option<Vec<OsString>> },
}

impl Scheduler {
    fn of(kind: Kind) -> Self {
        Self { kind, elements: ELEMENTS, at_once: None, heartbeat: SILENCE, program: None }
    }

    /// This machine, with so many tasks at a time: to try things out, or for a night's work. They are run by one process of this
    /// program, which goes on when this one ends; what ends a terminal's processes ends it as well.
    #[must_use]
    pub fn local(processes: usize) -> Self {
        Self::of(Kind::Local { processes: u32::try_from(processes).unwrap_or(u32::MAX).max(1) })
    }

    /// A Slurm cluster, by `sbatch --array` with these arguments. An element is one task of Slurm's, and is queued again when its
    /// node is lost (`--requeue`), unless the arguments say otherwise.
    pub fn slurm<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::of(Kind::Slurm { arguments: arguments.into_iter().map(Into::into).collect() })
    }

    /// Whatever runs a script many times, by the command that submits it. It must not wait for the script to end. In its words
    /// stand for what it needs to know:
    ///
    /// | | |
    /// |---|---|
    /// | `{script}` | the path of the script, a file that a shell runs; without it the path is put behind the command |
    /// | `{last}`, `{count}` | the range of elements: write `0-{last}`, or `1-{count}` where they begin with 1 |
    /// | `{range}` | `0-{last}` for PBS, which takes no range of one: it has a step beyond its end then, `0-1:2` |
    /// | `{name}` | a name that no other submission has, of letters and digits and one `-`, and fifteen signs long at most |
    /// | `{logs}` | the directory for what the tasks print |
    ///
    /// The script finds the number of its element in its first argument, or in the variable by which HyperQueue, Slurm, PBS, Torque,
    /// Grid Engine or LSF tell it. It puts what is printed into the directory for that by itself, so a scheduler's own
    /// files may go to `/dev/null`. It is for a POSIX shell, which some schedulers must be told (`-S /bin/sh`). A command that is
    /// run by a shell (`sh -c`) takes paths as words of their own, as they may have blanks in them: `sh -c 'bsub <"$0"' {script}`.
    pub fn command<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::of(Kind::Command { words: words.into_iter().map(Into::into).collect(), queue: None })
    }

    /// For a [`command`](Scheduler::command): another one, which succeeds and prints something as long as the submission `{name}`
    /// is in the queue. Without it what was submitted and has not begun is believed to be there for ever, and only
    /// [`Batch::resubmit`](crate::Batch::resubmit) hands it over again. A command that fails says that it is not there, as
    /// that of Grid Engine does: what is handed over twice for that still runs once.
    #[must_use]
    pub fn queue<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        if let Kind::Command { queue, .. } = &mut self.kind {
            *queue = Some(words.into_iter().map(Into::into).collect());
        }
        self
    }

    /// What the environment variable `SPAWNSAFE_SCHEDULER` says, in the form that [`from_str`](Scheduler::from_str) reads;
    /// [`local`](Scheduler::local) with a process for each processor if there is none, or nothing in it.
    ///
    /// # Errors
    /// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) if it says nothing that there is.
    pub fn from_env() -> Result<Self, Error> {
        words::from_variable(VARIABLE, texts::no_scheduler)
    }

    fn here() -> Self {
        Self::local(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// How many elements an array has at most; if there are more tasks, each element runs several, one after another. 1000 by
    /// default, as a Slurm cluster takes 1001 if its `MaxArraySize` was not changed. Short tasks want few elements: to start one
    /// takes a scheduler a tenth of a second and more.
    #[must_use]
    pub fn elements(mut self, most: usize) -> Self {
        self.elements = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        self
    }

    /// How many elements may run at the same time: Slurm's `%`. A command says it in its own way.
    #[must_use]
    pub fn at_once(mut self, most: usize) -> Self {
        self.at_once = Some(u32::try_from(most).unwrap_or(u32::MAX).max(1));
        self
    }

    /// How long a running element may be silent until it counts as lost; two minutes by default, and a tenth of a second at
    /// least. It says that it lives four times in that time, by writing to a file. Clocks of machines whose file system
    /// takes the time of the writer (Lustre) must be closer to each other than that.
    #[must_use]
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.heartbeat = limit.max(Duration::from_millis(100));
        self
    }

    /// Where the program is on the nodes, if it is not under the path that it has here. It must be the same build.
    #[must_use]
    pub fn program(mut self, path: impl AsRef<Path>) -> Self {
        self.program = Some(path.as_ref().to_owned());
        self
    }

    /// How many elements so many tasks get.
    pub(super) fn elements_for(&self, tasks: usize) -> u32 {
        let most = match self.kind {
            Kind::Local { processes } => processes,
            _ => self.elements,
        };
        u32::try_from(tasks).unwrap_or(u32::MAX).min(most).max(1)
    }

    /// What it calls the first element.
    pub(super) fn first(&self) -> u32 {
        let Kind::Command { words, .. } = &self.kind else { return 0 };
        let has = |place: &str| words.iter().any(|word| word.to_str().is_some_and(|word| word.contains(place)));
        u32::from(has("{count}") && !has("{last}"))
    }

    pub(super) fn silence(&self) -> Duration {
        self.heartbeat
    }
}

impl Default for Scheduler {
    /// This machine, with a process for each processor.
    fn default() -> Self {
        Self::here()
    }
}

/// Reads `local`, `local:PROCESSES`, `slurm`, `slurm:ARGUMENTS`, `command:COMMAND`, or `command:COMMAND ; COMMAND` with that of
/// [`queue`](Scheduler::queue) behind the first one. Arguments are words as a shell has them, in quotes where they contain blanks.
impl FromStr for Scheduler {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, rest) = words::named(text);
        let words = || words::split(rest).map_err(texts::no_scheduler);
        match name {
            "" | "local" if rest.is_empty() => Ok(Self::here()),
            "local" => match rest.parse() {
                Ok(processes) if processes > 0 => Ok(Self::local(processes)),
                _ => Err(texts::no_scheduler("`local:` needs a number of processes")),
            },
            "slurm" => words().map(Self::slurm),
            "command" => {
                let words = words()?;
                let commands: Vec<_> = words.split(|word| word == ";").collect();
                match commands[..] {
                    [command] if !command.is_empty() => Ok(Self::command(command)),
                    [command, queue] if !command.is_empty() && !queue.is_empty() => {
                        Ok(Self::command(command).queue(queue))
                    }
                    _ => Err(texts::no_scheduler(
                        "`command:` needs a command, and may have `;` and another one behind it",
                    )),
                }
            }
            _ => Err(texts::no_scheduler("there is none of this name")),
        }
    }
}

/// As [`FromStr`] reads it, without what the methods of a scheduler set besides.
impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Local { processes } => write!(f, "local:{processes}"),
            Kind::Slurm { arguments } if arguments.is_empty() => f.write_str("slurm"),
            Kind::Slurm { arguments } => write!(f, "slurm:{}", words::join(arguments, "")),
            Kind::Command { words, queue } => {
                let queue = queue.as_deref().unwrap_or_default();
                write!(f, "command:{}", words::join(words, if queue.is_empty() { "" } else { " ; " }))?;
                f.write_str(&words::join(queue, ""))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedulers_are_read_and_written() {
        let command = "command:qsub -t '1-{count}' '{script}'";
        let with_queue = &format!("{command} ; qstat -j {{name}}");
        for text in ["local:3", "slurm", "slurm:-N 3 '--comment=a b'", command, with_queue] {
            let scheduler: Scheduler = text.parse().unwrap();
            let again: Scheduler = scheduler.to_string().parse().unwrap();
            assert_eq!(again.kind, scheduler.kind, "{text}");
        }
        assert!(matches!("".parse::<Scheduler>().unwrap().kind, Kind::Local { .. }));
        for text in
            ["slrum", "local:0", "local:x", "command:", "command:'", "command:;", "command:a ;", "command:a ; b ; c"]
        {
            let error = text.parse::<Scheduler>().unwrap_err().to_string();
            assert!(error.contains(VARIABLE) && error.contains("command:"), "{error}");
        }
    }
}
