//! All tests of `process`, with children that a zygote forks, and what only those have.

#![cfg(target_os = "linux")]

#[path = "process/main.rs"]
mod process;

#[allow(unsafe_code)]
#[used]
// SAFETY: the section holds pointers to functions that the system calls once, on the main thread, before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn use_zygotes() {
        // SAFETY: no other thread runs yet. What these tests share with others reads the variable after this.
        unsafe { std::env::set_var(spawnsafe_tests::START_METHOD_VARIABLE, "zygote") };
    }
    use_zygotes
};

#[test]
fn children_have_a_zygote() {
    assert!(false, "wip");
}
