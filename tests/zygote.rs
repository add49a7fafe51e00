//! What becomes of zygotes, and what their children follow: each test runs a program that does something to itself.

use std::path::Path;
use std::process::{Command, Stdio};

#[cfg(target_os = "linux")]
use spawnsafe_tests::copy_program;
use spawnsafe_tests::eventually;

const ZYGOTES: &str = env!("CARGO_BIN_EXE_zygotes");

/// Runs a program that checks itself.
#[track_caller]
fn passes(program: impl AsRef<Path>, name: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(program.as_ref());
    command.arg(name).envs(variables.iter().copied()).stdin(Stdio::null());
    // A program that was just written cannot be executed as long as a process that another test starts has that file open.
    let output = eventually("the program can be executed", || match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
        output => Some(output.unwrap()),
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

#[cfg(not(target_os = "linux"))]
#[test]
fn there_are_none_here() {
    let printed = passes(ZYGOTES, "", &[]);
    assert!(printed.contains("StartMethod::Exec"), "{printed}");
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{ZYGOTES, copy_program, passes};

    #[test]
    fn children_have_what_executed_children_have() {
        for scenario in ["follows", "follows-to-another-session", "follows-each-thread"] {
            print!("{}", passes(ZYGOTES, scenario, &[]));
        }
    }

    #[test]
    fn children_do_not_have_rights_that_their_parent_has_given_up() {
        // Another user must be able to execute it.
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = copy_program(ZYGOTES.as_ref(), dir.path());
        print!("{}", passes(&program, "follows-without-rights", &[]));
    }

    /// As in a container: the group of these processes is one of outside, and has no number here.
    #[test]
    fn children_in_a_namespace_of_processes() {
        let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
        let inside = |script: &str| {
            let mut command = std::process::Command::new("unshare");
            command.args(namespace).args(["sh", "-c", script, ZYGOTES]).stdin(std::process::Stdio::null());
            command.output()
        };
        if !inside("exit 0").is_ok_and(|output| output.status.success()) {
            return println!(
                "left out: there is no `unshare`, or the system does not let this user have such a namespace"
            );
        }
        // The shell, which is its first process, could have no children forked for it.
        let output = inside("\"$0\" follows; exit $?").unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{text}", output.status);
    }

    #[test]
    fn a_zygote_that_is_killed_is_replaced_and_no_call_is_lost() {
        passes(ZYGOTES, "killed", &[]);
    }

    #[test]
    fn a_zygote_that_is_stopped_is_replaced() {
        passes(ZYGOTES, "stopped", &[]);
    }

    #[test]
    fn a_copy_of_the_parent_has_a_zygote_of_its_own() {
        passes(ZYGOTES, "forked", &[]);
    }

    #[test]
    fn a_program_whose_file_is_replaced_or_deleted() {
        let dir = tempfile::tempdir().unwrap();
        passes(copy_program(ZYGOTES.as_ref(), dir.path()), "replaced", &[]);
    }

    #[test]
    fn nothing_is_left_of_many_children() {
        passes(ZYGOTES, "counts", &[]);
    }

    #[test]
    fn a_descriptor_that_the_parent_closes_is_not_kept_open() {
        passes(ZYGOTES, "kept-open", &[]);
    }

    #[test]
    fn a_program_that_has_threads_before_main_is_told_so() {
        let printed = passes(ZYGOTES, "refused", &[("THREAD_BEFORE_MAIN", "1")]);
        assert!(printed.contains("2 threads") && printed.contains("StartMethod::Exec"), "{printed}");
    }
}
