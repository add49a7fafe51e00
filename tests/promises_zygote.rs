//! All tests of `promises`, by programs whose children are forked by zygotes.

#![cfg(target_os = "linux")]

spawnsafe_tests::with_zygotes!();

#[path = "promises.rs"]
mod promises;
