//! All of this binary once more, with processes that wait for a call.

use std::process::{Command, Stdio};

pub(super) const PREWARM: &str = "TESTS_PREWARM";

#[test]
fn everything_holds_with_processes_that_wait() {
    if std::env::var_os(PREWARM).is_some() {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--test-threads", "3"])
        .env(PREWARM, "3")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.matches(" ... ok").count();
    assert!(passed > 50, "{text}");
}
