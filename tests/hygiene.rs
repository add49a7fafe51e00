//! Entries in surroundings that a macro must not stumble over. Each is compiled here and run in a child process, and
//! the child must answer what the function itself answers.

// Groups that count only here; the others are in `strict`.
#![deny(future_incompatible, rust_2018_compatibility, rust_2021_compatibility, rust_2024_compatibility)]
// What is `pub` in a module here is so because that is what is tried out.
#![allow(unreachable_pub)]

#[path = "hygiene/closures.rs"]
mod closures;
#[path = "hygiene/crate_path.rs"]
mod crate_path;
#[path = "hygiene/generic.rs"]
mod generic;
#[path = "hygiene/helpers.rs"]
mod helpers;
#[path = "hygiene/lifetimes.rs"]
mod lifetimes;
#[path = "hygiene/macros.rs"]
mod macros;
#[path = "hygiene/names.rs"]
mod names;
#[path = "ui/package.rs"]
mod package;
#[path = "hygiene/parameters.rs"]
mod parameters;
#[path = "hygiene/places.rs"]
mod places;
#[path = "hygiene/shadowing.rs"]
mod shadowing;
#[path = "hygiene/statics.rs"]
mod statics;
#[path = "hygiene/strict.rs"]
pub mod strict;
#[path = "hygiene/types.rs"]
mod types;

/// For `macros`.
const SHARED: u32 = 4;

/// Editions, and a library of another name: what needs a package of its own.
mod programs {
    use std::path::{Path, PathBuf};

    use super::package::Package;

    fn program(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("hygiene/programs").join(name).with_extension("rs")
    }

    #[test]
    #[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
    fn edition_2018() {
        let package = Package::new("edition-2018").edition("2018").programs(&[program("older_edition")]);
        package.build();
        assert_eq!(package.run("older_edition"), "add=7 gen=7\n");
    }

    #[test]
    #[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
    fn edition_2021() {
        let package = Package::new("edition-2021").edition("2021").programs(&[program("older_edition")]);
        package.build();
        assert_eq!(package.run("older_edition"), "add=7 gen=7\n");
    }

    #[test]
    #[cfg_attr(windows, ignore = "cargo does not run under Wine; elsewhere `SPAWNSAFE_TARGET` builds for Windows")]
    fn library_of_another_name() {
        let programs = [program("renamed"), program("renamed_once")];
        let package = Package::new("renamed").library("processes").programs(&programs);
        package.build();
        assert_eq!(package.run("renamed"), "8\n");
        assert_eq!(package.run("renamed_once"), "6\n2\n");
    }
}
