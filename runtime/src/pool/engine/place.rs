//! Where the nodes are: the command that starts the program on each of them.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use super::words::quote;
use super::{Engine, Kind, texts};
use crate::error::Error;
use crate::registry::{self, Dispatch};
use crate::sys::AGENT_VARIABLE;
use crate::wire::{TOKEN_BEFORE_MAIN, TOKEN_MAIN};

/// How long it may take until a node says hello, where none waits for room.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// One node.
#[derive(Clone, Debug)]
pub(in crate::pool) struct Place {
    /// What people call it, until it tells its own name.
    pub(super) name: String,
    /// The whole command, its program first.
    pub(super) command: Vec<OsString>,
    pub(super) heartbeat: Duration,
    pub(super) start_timeout: Option<Duration>,
}

/// The variables by which Slurm tells that this process runs within an allocation, and how large that is.
const ALLOCATION: [&str; 2] = ["SLURM_JOB_NUM_NODES", "SLURM_NNODES"];

pub(super) fn places(engine: &Engine) -> Result<Vec<Place>, Error> {
    let program = program(engine)?;
    let agent = agent(engine.heartbeat);
    let (commands, start_timeout): (Vec<(String, Vec<OsString>)>, _) = match &engine.kind {
        Kind::Local | Kind::Foreign(_) => (Vec::new(), None),
        Kind::Ssh { options, hosts } => {
            let times = engine.nodes.map_or(hosts.len(), |nodes| nodes * usize::from(!hosts.is_empty()));
            let hosts = hosts.iter().cycle().take(times);
            (hosts.map(|host| ssh(options, host, &agent, &program)).collect(), Some(START_TIMEOUT))
        }
        Kind::Slurm { arguments } => {
            let allocated = ALLOCATION.iter().find_map(|name| std::env::var(name).ok()?.parse().ok());
            (slurm(arguments, engine.nodes, allocated, &agent, &program), None)
        }
        Kind::Command { prefixes } => {
            let times = engine.nodes.map_or(prefixes.len(), |nodes| nodes * usize::from(!prefixes.is_empty()));
            let prefixes = (0..).zip(prefixes.iter().cycle().take(times));
            (prefixes.map(|(node, prefix)| command(prefix, node, &agent, &program)).collect(), Some(START_TIMEOUT))
        }
    };
    if commands.is_empty() || commands.iter().any(|(_, command)| command.is_empty()) {
        return Err(texts::no_nodes());
    }
    let place = |(name, command)| Place {
        name,
        command,
        heartbeat: engine.heartbeat,
        start_timeout: engine.start_timeout.or(start_timeout),
    };
    Ok(commands.into_iter().map(place).collect())
}

/// What makes the program an agent, as `env` takes it: where it does so, and for how many milliseconds it waits for a word.
fn agent(heartbeat: Duration) -> OsString {
    let token = match registry::dispatch() {
        Some(Dispatch::BeforeMain) => TOKEN_BEFORE_MAIN,
        _ => TOKEN_MAIN,
    };
    format!("{AGENT_VARIABLE}={token}:{}", heartbeat.as_millis()).into()
}

/// The program's path on the nodes.
fn program(engine: &Engine) -> Result<OsString, Error> {
    if let Some(program) = &engine.program {
        return Ok(program.clone().into());
    }
    let program = std::env::current_exe().map_err(|error| texts::no_program(&error.to_string()))?;
    // A file that was replaced under this program would be another build, and one that is gone nothing at all.
    if !program.exists() {
        return Err(texts::no_program(&format!("{} is not there any more", program.display())));
    }
    Ok(program.into())
}

fn command(prefix: &[OsString], node: usize, agent: &OsStr, program: &OsStr) -> (String, Vec<OsString>) {
    let mut is_template = false;
    let mut words: Vec<OsString> = Vec::new();
    for word in prefix {
        // What is no text has no such place in it.
        let Some(text) = word.to_str() else {
            words.push(word.clone());
            continue;
        };
        is_template |= text.contains("{agent}") || text.contains("{program}");
        let (agent, program) = (agent.to_string_lossy(), program.to_string_lossy());
        words.push(
            text.replace("{agent}", &agent).replace("{program}", &program).replace("{node}", &node.to_string()).into(),
        );
    }
    if !is_template && !words.is_empty() {
        words.extend(["env".into(), agent.to_owned(), program.to_owned()]);
    }
    (format!("node {node}"), words)
}

fn ssh(options: &[OsString], host: &OsStr, agent: &OsStr, program: &OsStr) -> (String, Vec<OsString>) {
    let mut command: Vec<OsString> =
        ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60"].map(OsString::from).into();
    // A link that is cut without a word.
    command.extend(["-o", "ServerAliveInterval=15"].map(OsString::from));
    command.extend_from_slice(options);
    command.extend(["--".into(), host.to_owned()]);
    // A shell of the host reads this.
    let line = format!("exec env {} {}", agent.to_string_lossy(), quote(&program.to_string_lossy()));
    command.push(line.into());
    (host.to_string_lossy().into_owned(), command)
}

/// `srun` once for each node, never for each task: sites complain of those.
fn slurm(
    arguments: &[OsString],
    nodes: Option<usize>,
    allocated: Option<usize>,
    agent: &OsStr,
    program: &OsStr,
) -> Vec<(String, Vec<OsString>)> {
    let (asked, arguments) = nodes_in(arguments);
    let count = nodes.or(asked).or(allocated).unwrap_or(1);
    let node = |number: usize| {
        // Not in lines: frames are none. No MPI: the agent is one process by itself.
        let fixed = ["srun", "--nodes=1", "--ntasks=1", "--unbuffered", "--kill-on-bad-exit=1", "--mpi=none"];
        let mut command: Vec<OsString> = fixed.map(OsString::from).into();
        if let Some(allocated) = allocated.filter(|&allocated| allocated > 0) {
            // Without the last two a step of one task would be bound to one processor.
            let place = format!("--relative={}", number % allocated);
            command.extend([place.into(), "--cpu-bind=none".into()]);
        }
        command.extend_from_slice(&arguments);
        command.extend(["env".into(), agent.to_owned(), program.to_owned()]);
        (format!("node {number} of srun"), command)
    };
    (0..count).map(node).collect()
}

/// How many nodes the arguments of `srun` ask for, and the other arguments.
fn nodes_in(arguments: &[OsString]) -> (Option<usize>, Vec<OsString>) {
    let (mut count, mut others) = (None, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().unwrap_or_default();
        let number = match text {
            "-N" | "--nodes" => arguments.next().and_then(|number| number.to_str()),
            _ => text.strip_prefix("--nodes=").or_else(|| text.strip_prefix("-N")),
        };
        match number {
            Some(number) => count = number.parse().ok(),
            None => others.push(argument.clone()),
        }
    }
    (count, others)
}

/// How a command is shown to people.
pub(super) fn shown(command: &[OsString]) -> String {
    let mut words = command.iter();
    let first = words.next().map(|first| Path::new(first).display().to_string()).unwrap_or_default();
    words.fold(first, |line, word| line + " " + &quote(&word.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn line((_, command): (String, Vec<OsString>)) -> String {
        shown(&command)
    }

    #[test]
    fn commands_are_what_each_engine_takes() {
        let (agent, program) = (OsStr::new("A=main"), OsStr::new("/a b/p"));
        assert_eq!(line(command(&words(&["nice"]), 0, agent, program)), "nice env A=main '/a b/p'");
        let template = words(&["docker", "run", "-ie", "{agent}", "image{node}", "/app"]);
        assert_eq!(line(command(&template, 2, agent, program)), "docker run -ie A=main image2 /app");
        let reached = line(ssh(&words(&["-p", "22"]), OsStr::new("one"), agent, program));
        assert!(reached.starts_with("ssh -T ") && reached.contains(" -p 22 -- one "), "{reached}");
        assert!(reached.ends_with(r"'exec env A=main '\''/a b/p'\'''"), "{reached}");

        let asked = |arguments, nodes, allocated| {
            let commands = slurm(&words(arguments), nodes, allocated, agent, program);
            commands.into_iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(asked(&[], None, None).len(), 1);
        assert_eq!(asked(&["-N3", "-c4"], None, None).len(), 3);
        assert_eq!(asked(&["-N", "3"], Some(2), None).len(), 2);
        assert!(asked(&["--nodes=2", "-c4"], None, None)[0].ends_with(" --mpi=none -c4 env A=main '/a b/p'"));
        let allocated = asked(&[], None, Some(3));
        assert!(allocated.len() == 3 && allocated[2].contains(" --relative=2 "));
    }
}
