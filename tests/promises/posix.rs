//! Promises about signals, users, limits, and files that change while they are run.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use spawnsafe_tests::{KillAll, KillOnDrop, copy_program, eventually, is_running};

use super::{NO_MAIN, SCENARIOS, end_parent, passes, scenario, texts};

#[test]
fn children_end_when_their_parent_is_terminated() {
    end_parent(|parent| {
        #[allow(unsafe_code)]
        // SAFETY: kill(2) has no preconditions, and the process is a child of this one that was not reaped.
        unsafe {
            libc::kill(parent.id() as i32, libc::SIGTERM)
        };
    });
}

#[test]
fn a_child_that_is_exiting_ends_when_its_parent_is_killed() {
    let command = scenario(SCENARIOS, "leaves-an-exiting-child").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut parent = KillOnDrop(command.unwrap());
    let mut line = String::new();
    BufReader::new(parent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let child = KillAll(vec![line.trim().parse().unwrap()]);
    assert!(is_running(child.0[0]));
    parent.0.kill().unwrap();
    let dead = std::time::Instant::now();
    eventually("the child ends with its parent", || (!is_running(child.0[0])).then_some(()));
    println!("the child ended {:?} after its parent", dead.elapsed());
}

#[test]
fn a_limit_that_leaves_room_for_one_child() {
    passes(&mut scenario(SCENARIOS, "room-for-one-child"));
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
    // The kind of processor, in an ELF file.
    let machine = |path: &Path| std::fs::read(path).ok()?.get(18..20).map(<[u8]>::to_owned);
    // Under qemu, what a program opens is looked for there first, and what it executes is not.
    let root = PathBuf::from(std::env::var_os("QEMU_LD_PREFIX").unwrap_or("/".into()));
    let files = ["lib64", "lib"].into_iter().flat_map(|dir| std::fs::read_dir(root.join(dir))).flatten();
    let paths = files.filter_map(|entry| Some(entry.ok()?.path()));
    let mut loaders = paths.filter(|path| path.to_string_lossy().contains("ld-linux"));
    let Some(loader) = loaders.find(|path| machine(path) == machine(Path::new(SCENARIOS))) else {
        println!("left out: there is no loader for this processor in lib64 or lib of {}", root.display());
        return;
    };
    let printed = passes(Command::new(loader).args([SCENARIOS, "spawn"]).stdin(Stdio::null()));
    assert!(printed.contains("dynamic loader"), "{printed}");
}
