//! `crate = path`, by every kind of path.

mod facade {
    pub use spawnsafe as processes;

    pub mod inner {
        #[spawnsafe::child_entry(crate = super::processes)]
        pub fn by_super(x: u32) -> u32 {
            x + 1
        }
    }

    #[spawnsafe::child_entry(crate = self::processes)]
    pub fn by_self(x: u32) -> u32 {
        x + 2
    }

    #[spawnsafe::child_entry(crate = processes)]
    pub fn by_name(x: u32) -> u32 {
        x + 3
    }
}

#[spawnsafe::child_entry(crate = crate::crate_path::facade::processes)]
fn by_crate(x: u32) -> u32 {
    x + 4
}

#[spawnsafe::child_entry(crate = ::spawnsafe, name = "chosen, and in order")]
fn by_root(x: u32) -> u32 {
    x + 5
}

/// As a library's `macro_rules!` would write it, for users that have no dependency on spawnsafe.
macro_rules! entry {
    ($name:ident) => {
        #[spawnsafe::child_entry(crate = $crate::crate_path::facade::processes)]
        fn $name(x: u32) -> u32 {
            x + 6
        }
    };
}

entry!(by_dollar_crate);

#[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq, spawnsafe::SpawnSafe)]
#[spawnsafe(crate = facade::processes)]
struct Job<T> {
    value: T,
    #[trust]
    foreign: Foreign,
}

#[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
struct Foreign;

#[spawnsafe::child_entry(crate = facade::processes)]
fn by_type(#[trust] foreign: Foreign, value: u32) -> Job<u32> {
    Job { value, foreign }
}

#[test]
fn each_kind_of_path() {
    assert_eq!(facade::inner::by_super::run(1).unwrap(), 2);
    assert_eq!(facade::by_self::run(1).unwrap(), 3);
    assert_eq!(facade::by_name::run(1).unwrap(), 4);
    assert_eq!(by_crate::run(1).unwrap(), 5);
    assert_eq!(by_root::run(1).unwrap(), 6);
    assert_eq!(by_dollar_crate::run(1).unwrap(), 7);
    assert_eq!(by_type::run(Foreign, 8).unwrap(), by_type(Foreign, 8));
}

#[test]
fn a_name_of_ones_own() {
    assert_eq!(by_root::NAME, "chosen, and in order");
    assert_eq!(by_crate::NAME, concat!(module_path!(), "::by_crate"));
}
