//! Inherited statics that cannot travel: the start fails, or the child before its entry, with words that name them.

use std::process::Command;

/// What the program says, line by line, when its statics are in this state.
fn says(state: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_inherited")).arg(state).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// One error of this kind that says all of this, and no entry has run.
#[track_caller]
fn fails(said: &[String], kind: &str, parts: &[&str]) {
    let [error] = said else { panic!("{said:?}") };
    assert!(error.starts_with(&format!("{kind}: ")), "{error}");
    for part in parts.iter().chain(&["`inherited::sum`"]) {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

const THEN: [&str; 2] = ["the entry runs", "2"];

#[test]
fn a_guard_that_the_starting_thread_holds() {
    for (state, name) in [("mutex", "`inherited::LOCKED`"), ("rwlock", "`inherited::WRITTEN`")] {
        let said = says(state);
        fails(&said[..1], "Encode", &[name, "it is locked", "drop the guard", "nothing was started"]);
        assert_eq!(said[1..], THEN);
    }
}

#[test]
fn an_open_handle() {
    let said = says("handle");
    fails(&said[..1], "Encode", &["`inherited::HANDLES`", "pass the handle as an argument", "nothing was started"]);
    assert_eq!(said[1..], THEN);
}

#[test]
fn a_guard_that_another_thread_holds_for_a_moment() {
    assert_eq!(says("held elsewhere"), ["the entry runs", "6"]);
}

#[test]
fn a_poisoned_lock() {
    let said = says("poisoned");
    fails(&said[..1], "Encode", &["`inherited::LOCKED`", "poisoned", "clear_poison"]);
    assert_eq!(said[1..], THEN);
}

#[test]
fn a_value_that_cannot_be_packed() {
    fails(&says("packing"), "Encode", &["`inherited::STUBBORN`", "it does not want to", "nothing was started"]);
}

#[test]
fn a_value_that_cannot_be_rebuilt() {
    fails(&says("unpacking"), "Decode", &["`inherited::STUBBORN`", "it does not want to", "has not run"]);
}

#[test]
fn a_panic_while_a_value_is_rebuilt() {
    fails(&says("panic"), "Panicked", &["it really does not want to"]);
}

#[test]
fn a_static_that_the_child_has_set_already() {
    fails(&says("second value"), "Decode", &["`inherited::STUBBORN`", "has set it already"]);
    assert_eq!(says("nothing"), THEN);
}

#[test]
fn refusals_of_a_type_of_ones_own() {
    fails(&says("snapshot"), "Encode", &["`inherited::OWN`", "there is no way out"]);
    fails(&says("restore"), "Decode", &["`inherited::OWN`", "there is no way in"]);
}
