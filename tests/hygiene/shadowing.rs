//! Names that generated code would rely on, if it relied on any, mean something else here.

/// Everything that the prelude brings.
mod of_prelude {
    #![allow(dead_code, non_camel_case_types)]

    struct Result;
    struct Option;
    struct Vec;
    struct String;
    struct Box;
    struct Ok;
    struct Err;
    struct Some;
    struct None;
    trait Into {}
    trait Clone {}
    trait Sized {}
    trait Send {}
    trait Drop {}
    fn drop() {}

    macro_rules! shadow {
        ($($name:ident)*) => {$(
            #[allow(unused_macros)]
            macro_rules! $name { () => { 0 }; }
        )*};
    }
    shadow! { concat module_path file line column cfg panic format vec }

    #[spawnsafe::child_entry]
    pub fn entry(x: u32, text: &str, list: &[u8]) -> ::std::result::Result<usize, ::std::string::String> {
        ::std::result::Result::Ok(x as usize + text.len() + list.len())
    }
}

/// The crates, and the library itself.
mod of_crates {
    mod std {}
    mod core {}
    mod alloc {}
    mod serde {}
    mod inventory {}
    mod spawnsafe {}

    #[::spawnsafe::child_entry]
    pub fn entry(x: u32, text: &str) -> Result<usize, String> {
        let first = &TABLE;
        Ok(x as usize + text.len() + first[0] + TABLE.len())
    }

    static TABLE: [usize; 1] = [0];
}

/// The primitive types.
mod of_primitives {
    #![allow(dead_code, non_camel_case_types)]

    pub struct u8;
    pub struct u32;
    pub struct str;
    pub struct bool;
    pub struct usize;

    #[derive(serde::Serialize, serde::Deserialize, spawnsafe::SpawnSafe)]
    pub struct Job<T>(#[trust] pub ::std::vec::Vec<T>);

    #[spawnsafe::child_entry]
    pub fn entry(x: ::std::primitive::u32, text: &::std::primitive::str) -> ::std::string::String {
        ::std::format!("{x} {text}")
    }
}

/// The types of the library.
mod of_library {
    #![allow(dead_code)]

    struct Call;
    struct Child;
    struct Error;
    trait SpawnSafe {
        fn call(&self) {}
        fn run(&self) {}
    }
    impl<T> SpawnSafe for T {}

    #[spawnsafe::child_entry]
    pub fn entry(x: u32, text: &str) -> usize {
        x as usize + text.len()
    }
}

#[no_implicit_prelude]
mod without_prelude {
    #[derive(
        ::serde::Serialize, ::serde::Deserialize, ::std::fmt::Debug, ::std::cmp::PartialEq, ::spawnsafe::SpawnSafe,
    )]
    pub struct Job(pub u32, #[trust] pub Foreign);

    #[derive(::serde::Serialize, ::serde::Deserialize, ::std::fmt::Debug, ::std::cmp::PartialEq)]
    pub struct Foreign;

    static TABLE: [u32; 1] = [0];
    #[allow(non_upper_case_globals)]
    static lower: [u32; 1] = [0];

    #[::spawnsafe::child_entry]
    pub fn entry(x: u32, text: &str, job: Job, #[trust] foreign: Foreign) -> Job {
        Job(x + TABLE[0] + (&lower)[0] + text.len() as u32 + job.0, foreign)
    }
}

#[test]
fn prelude() {
    assert_eq!(of_prelude::entry::run(1, "ab", &[3]).unwrap(), Ok(4));
    let job = |number| without_prelude::Job(number, without_prelude::Foreign);
    assert_eq!(without_prelude::entry::run(1, "ab", job(3), without_prelude::Foreign).unwrap(), job(6));
}

#[test]
fn crates() {
    assert_eq!(of_crates::entry::run(1, "ab").unwrap(), Ok(4));
}

#[test]
fn primitives() {
    assert_eq!(of_primitives::entry::run(1, "ab").unwrap(), "1 ab");
}

#[test]
fn library() {
    assert_eq!(of_library::entry::run(1, "ab").unwrap(), 3);
}
