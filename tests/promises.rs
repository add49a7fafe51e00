//! What the library promises of whole programs: each test runs one that does something to itself.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use spawnsafe_tests::{KillAll, KillOnDrop, copy_program, eventually, is_running};

const SCENARIOS: &str = env!("CARGO_BIN_EXE_scenarios");
const NO_MAIN: &str = env!("CARGO_BIN_EXE_no_main");
const DUPLICATE: &str = env!("CARGO_BIN_EXE_duplicate");

fn scenario(program: impl AsRef<Path>, name: &str) -> Command {
    let mut command = Command::new(program.as_ref());
    command.arg(name).stdin(Stdio::null());
    command
}

/// Runs a program that checks itself.
#[track_caller]
fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_body_of_main_runs_in_the_root_process_only() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    passes(scenario(SCENARIOS, "all-kinds-of-ends").env("MARK_MAIN", &marks));
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "main ran\n");
}

#[test]
fn without_the_attribute_nothing_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    let printed = passes(Command::new(NO_MAIN).arg(&marks));
    assert_eq!(printed.lines().count(), 3);
    assert!(printed.lines().all(|line| line.starts_with("NoProcessMain: ")), "{printed}");
    assert!(printed.contains("#[spawnsafe::process_main]"), "{printed}");
    assert_eq!(std::fs::read_to_string(marks).unwrap(), "ran\n");
}

#[test]
fn two_entries_of_one_name() {
    let printed = passes(&mut Command::new(DUPLICATE));
    let lines: Vec<_> = printed.lines().collect();
    for line in &lines[..2] {
        assert!(line.starts_with("DuplicateEntry: "), "{line}");
        assert!(line.contains("programs/duplicate.rs:4:") && line.contains("programs/duplicate.rs:11:"), "{line}");
    }
    assert_eq!(lines[2], "Ok(3)");
}

#[test]
fn no_descriptor_and_no_zombie_after_a_thousand_spawns_from_four_threads() {
    passes(&mut scenario(SCENARIOS, "leaks"));
}

#[test]
fn no_descriptor_and_no_zombie_after_failures() {
    passes(&mut scenario(SCENARIOS, "leaks-of-failures"));
}

/// Starts the scenario, reads the ids of its children and ends it with this signal.
fn end_parent_with(signal: i32) {
    let command = scenario(SCENARIOS, "orphans").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let children = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    assert_eq!(children.0.len(), 3);
    // The thread that started them has ended, and they live.
    assert!(children.0.iter().all(|&id| is_running(id)));
    #[allow(unsafe_code)]
    // SAFETY: kill(2) has no preconditions, and the process is a child of this one that was not reaped.
    unsafe {
        libc::kill(parent.0.id() as i32, signal)
    };
    parent.0.wait().unwrap();
    let dead = Instant::now();
    eventually("the children end with their parent", || children.0.iter().all(|&id| !is_running(id)).then_some(()));
    println!("the children ended {:?} after their parent", dead.elapsed());
}

#[test]
fn children_end_when_their_parent_is_killed() {
    end_parent_with(libc::SIGKILL);
}

#[test]
fn children_end_when_their_parent_is_terminated() {
    end_parent_with(libc::SIGTERM);
}

#[test]
fn a_detached_child_outlives_its_parent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("go");
    let printed = passes(scenario(SCENARIOS, "detached").arg(&path));
    let child = KillAll(vec![printed.trim().parse().unwrap()]);
    // Children that die with their parent are gone within a millisecond.
    std::thread::sleep(Duration::from_millis(200));
    assert!(is_running(child.0[0]));
    std::fs::write(&path, "").unwrap();
    eventually("it ends when its entry returns", || (!is_running(child.0[0])).then_some(()));
}

#[test]
fn a_parent_that_ignores_its_children() {
    passes(&mut scenario(SCENARIOS, "sigchld-ignored"));
}

#[test]
fn a_parent_that_reaps_all_children() {
    passes(&mut scenario(SCENARIOS, "reaps-everything"));
}

#[test]
fn out_of_descriptors() {
    passes(&mut scenario(SCENARIOS, "out-of-descriptors"));
}

#[test]
fn out_of_processes() {
    let printed = passes(&mut scenario(SCENARIOS, "out-of-processes"));
    assert!(printed.contains("ulimit -u"), "{printed}");
}

#[test]
fn a_program_that_is_no_longer_executable() {
    let dir = tempfile::tempdir().unwrap();
    let program = copy_program(Path::new(SCENARIOS), dir.path());
    let printed = passes(&mut scenario(program, "not-executable"));
    assert!(printed.contains("still executable"), "{printed}");
}

#[test]
fn a_program_that_was_replaced_or_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let program = copy_program(Path::new(SCENARIOS), dir.path());
    passes(&mut scenario(&program, "deleted"));
    assert!(!program.exists());

    let program = copy_program(Path::new(SCENARIOS), dir.path());
    let other = dir.path().join("other");
    std::fs::copy(NO_MAIN, &other).unwrap();
    passes(scenario(&program, "replaced").arg(&other));
    assert_eq!(std::fs::read(&program).unwrap(), std::fs::read(NO_MAIN).unwrap());
}

#[test]
fn arguments_and_environment_are_those_of_the_parent() {
    passes(scenario(SCENARIOS, "args-and-env").args(["--flag", "", "with space", "ä\"'\\"]).env("AN_ODD_ONE", "a=b\n"));
}

#[test]
fn children_of_children() {
    passes(&mut scenario(SCENARIOS, "nested"));
}

#[test]
fn a_hundred_megabytes_each_way() {
    passes(&mut scenario(SCENARIOS, "flood"));
}

#[test]
fn a_parent_without_standard_streams() {
    let status = scenario(SCENARIOS, "closed-streams").status().unwrap();
    assert_eq!(status.code(), Some(33));
}

/// Nonsense in the variable that makes a child.
#[test]
fn a_program_that_is_started_as_a_child_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let marks = dir.path().join("marks");
    for value in
        ["", "1", "nonsense", "main", "main;", "main;3;4", "main;0;1", "main;1000;1001", "main;x;y", "before-main;9;9"]
    {
        let output =
            scenario(SCENARIOS, "spawn").env("SPAWNSAFE_CHILD", value).env("MARK_MAIN", &marks).output().unwrap();
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(64), "{value:?}: {stdout}{stderr}");
        assert!(stderr.contains("SPAWNSAFE_CHILD") && stderr.contains("remove it"), "{value:?}: {stderr}");
        assert_eq!(stdout, "");
        assert!(!marks.exists(), "{value:?}: main has run");
    }
}

/// The descriptors of a real connection, but another process's: a shell that was told to start the program as a child.
#[test]
fn a_program_that_is_given_a_strangers_connection() {
    use std::os::fd::AsRawFd as _;

    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let (mut read, write) = pipe();
    for fd in [theirs.as_raw_fd(), read.as_raw_fd()] {
        #[allow(unsafe_code)]
        // SAFETY: fcntl(2) with F_SETFD touches no memory.
        unsafe {
            libc::fcntl(fd, libc::F_SETFD, 0)
        };
    }
    let place = format!("SPAWNSAFE_CHILD='main;{};{}'", theirs.as_raw_fd(), read.as_raw_fd());
    // The shell stays as the parent of the program; the connection was made by this process.
    let output = Command::new("sh").args(["-c", &format!("{place} {SCENARIOS} spawn; exit $?")]).output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(64), "{stdout}{stderr}");
    assert!(stderr.contains("parent"), "{stderr}");
    drop((ours, theirs, write));
    assert_eq!(read.read_to_end(&mut Vec::new()).unwrap(), 0);
}

fn pipe() -> (std::fs::File, std::fs::File) {
    use rustix::pipe::{PipeFlags, pipe_with};

    let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    (read.into(), write.into())
}

/// A set-user-id program runs with rights that whoever starts it does not have.
#[test]
fn a_privileged_program_cannot_be_steered() {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    if !rustix::process::geteuid().is_root() {
        println!("left out: only root can make a program that belongs to another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = copy_program(Path::new(SCENARIOS), dir.path());
    chown(&program, Some(48_752), None).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o4755)).unwrap();

    let output = scenario(&program, "spawn").output().unwrap();
    let (stdout, stderr) = texts(&output);
    if stdout.contains("Ok(3)") {
        println!("left out: the file system of {} does not honour set-user-id", dir.path().display());
        return;
    }
    // It does not start children that would not take its orders …
    assert!(stdout.contains("raised privileges"), "{stdout}{stderr}");
    // … and takes none itself: it neither becomes a child nor, by mistake, a second root process.
    let output = scenario(&program, "spawn").env("SPAWNSAFE_CHILD", "main;3;4").output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(64), "{stdout}{stderr}");
    assert!(stderr.contains("raised privileges"), "{stderr}");
}

#[test]
fn a_parent_that_drops_its_privileges() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: only root has privileges to drop");
        return;
    }
    passes(&mut scenario(SCENARIOS, "drops-privileges"));
}

/// Executing the program's file would then execute the loader, and that the first argument.
#[test]
fn a_program_that_was_started_through_the_loader() {
    let loaders = std::fs::read_dir("/lib64").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let loader = loaders.into_iter().find(|path| path.to_string_lossy().contains("ld-linux"));
    let Some(loader) = loader else {
        println!("left out: there is no loader in /lib64");
        return;
    };
    let printed = passes(Command::new(loader).args([SCENARIOS, "spawn"]).stdin(Stdio::null()));
    assert!(printed.contains("dynamic loader"), "{printed}");
}

/// Built apart, as `panic = "abort"` concerns a whole program.
#[test]
fn a_panic_in_a_program_that_aborts_on_panics() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aborting");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", "spawnsafe-tests", "--bin", "scenarios", "--target-dir"])
        .arg(&target)
        .args(["--config", "profile.dev.panic=\"abort\"", "--config", "profile.dev.debug=false"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
    let program = target.join("debug/scenarios");
    passes(&mut scenario(&program, "aborting-panic"));
    passes(&mut scenario(&program, "aborting-race"));
}

#[test]
fn a_parent_that_ends_by_itself_leaves_nobody() {
    let command = scenario(SCENARIOS, "orphans").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let children = KillAll(line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    drop(parent.0.stdin.take());
    assert!(parent.0.wait().unwrap().success());
    // It has dropped them, and dropping kills and reaps.
    assert!(children.0.iter().all(|&id| !is_running(id)));
}
