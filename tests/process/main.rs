//! Children of a test binary, as its users see them: every end, every option, every handle.
//!
//! This is a test binary like any user's, with the default harness and no line of set-up, so that it is also the proof
//! that entries work in tests.

/// The harness goes by the names: this is first.
#[cfg(target_os = "linux")]
mod a_prewarm {
    #[test]
    fn if_asked_for() {
        if let Some(count) = std::env::var_os(super::prewarmed::PREWARM) {
            spawnsafe::prewarm(count.to_str().unwrap().parse().unwrap()).unwrap();
        }
    }
}
#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "tokio")]
mod awaiting;
mod data;
mod ends;
#[cfg(any(target_os = "linux", windows))]
mod files;
mod handle;
#[cfg(target_os = "linux")]
mod handles;
mod inherit;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod posix;
#[cfg(target_os = "linux")]
mod prewarmed;
#[cfg(any(target_os = "linux", windows))]
mod sockets;
mod surroundings;
#[cfg(feature = "tracing")]
mod traced;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
mod windows_handles;

/// A number of the size of a process id, which no other process has while the child lives.
#[spawnsafe::child_entry]
fn process_id() -> u32 {
    std::process::id()
}

#[test]
fn an_entry_runs_in_another_process_and_stays_a_function() {
    assert_eq!(process_id(), std::process::id());
    assert_ne!(process_id::run().unwrap(), std::process::id());
    assert_eq!(process_id::NAME, concat!(module_path!(), "::process_id"));
}

#[test]
fn many_children_at_once() {
    let children: Vec<_> = (0..16).map(|_| process_id::spawn().unwrap()).collect();
    let ids: Vec<u32> = children.iter().map(spawnsafe::Child::id).collect();
    let answers: Vec<u32> = children.into_iter().map(|child| child.join().unwrap()).collect();
    assert_eq!(ids, answers);
}

/// Rust's test harness would have parsed the arguments, run the tests again and printed its report.
#[test]
fn a_child_prints_nothing_of_the_harness() {
    use std::io::Read as _;

    let mut child = process_id::call().stdout(spawnsafe::Stdio::piped()).spawn().unwrap();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    child.join().unwrap();
    assert_eq!(printed, "");
}
