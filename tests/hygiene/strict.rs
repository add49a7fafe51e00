//! A module of a crate that forbids and denies all that can be: what is generated must be as clean as what is written.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    deprecated_safe,
    keyword_idents,
    let_underscore,
    nonstandard_style,
    refining_impl_trait,
    rust_2018_idioms,
    unknown_or_malformed_diagnostic_attributes,
    unused
)]
#![deny(
    absolute_paths_not_starting_with_crate,
    ambiguous_negative_literals,
    deprecated_in_future,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    ffi_unwind_calls,
    let_underscore_drop,
    macro_use_extern_crate,
    meta_variable_misuse,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    redundant_imports,
    redundant_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unused_extern_crates,
    unused_import_braces,
    unused_lifetimes,
    unused_macro_rules,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::cargo)]
// Of the restrictions, those that generated code could break.
#![deny(
    clippy::absolute_paths,
    clippy::as_conversions,
    clippy::empty_enum_variants_with_brackets,
    clippy::expect_used,
    clippy::impl_trait_in_params,
    clippy::indexing_slicing,
    clippy::infinite_loop,
    clippy::min_ident_chars,
    clippy::missing_docs_in_private_items,
    clippy::multiple_inherent_impl,
    clippy::renamed_function_params,
    clippy::same_name_method,
    clippy::shadow_unrelated,
    clippy::single_char_lifetime_names,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    clippy::use_self
)]

use core::sync::atomic::{AtomicU32, Ordering};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use spawnsafe::{Error, SpawnSafe, child_entry, inherit, process_local};

/// A type that travels.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, SpawnSafe)]
pub struct Job {
    /// Which one.
    pub id: u32,
}

/// A type that is trusted.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign;

/// A type with a parameter and a trusted field.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq, SpawnSafe)]
pub enum Holder<T> {
    /// Holds nothing.
    Empty,
    /// Holds something.
    Full {
        /// What it holds.
        value: Vec<T>,
        /// Trusted.
        #[trust]
        foreign: Foreign,
    },
}

/// Adds up.
#[child_entry]
#[must_use]
pub fn add(count: u32, text: &str, job: &Job, path: &Path) -> u64 {
    [text.len(), path.as_os_str().len()]
        .iter()
        .fold(u64::from(count), |sum, len| sum + u64::try_from(*len).unwrap_or(0))
        + u64::from(job.id)
}

/// Set once.
#[inherit]
pub static GREETING: OnceLock<String> = OnceLock::new();

/// Counts.
#[inherit]
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Of each process.
#[process_local]
pub static CACHE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Reads them.
#[child_entry]
fn globals() -> (Option<usize>, u32, bool) {
    let cached = CACHE.lock().is_ok_and(|cache| !cache.is_empty());
    (GREETING.get().map(String::len), COUNT.load(Ordering::SeqCst), cached)
}

/// Can fail.
///
/// # Errors
/// If there is nothing.
#[child_entry(name = "strict")]
pub fn first(mut list: Vec<Job>, (_left, right): (u8, u8)) -> Result<Job, String> {
    list.truncate(usize::from(right));
    list.first().copied().ok_or_else(|| "nothing".to_owned())
}

/// Trusts.
#[child_entry]
#[must_use]
pub fn hold(#[trust] foreign: Foreign, #[trust] more: &[Foreign], job: Job) -> Holder<Job> {
    Holder::Full { value: vec![job; more.len()], foreign }
}

/// Plain, and used.
static TABLE: [u32; 2] = [1, 2];

/// Not plain, and used on purpose.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// Passes on what it is given.
macro_rules! pass_on {
    ($value:expr) => {
        $value
    };
}

/// Uses statics in all ways that are probed.
#[child_entry(allow_static(CALLS))]
fn sums(count: u32) -> u32 {
    use core::f64::consts::PI as RATIO;
    let text = format!("{RATIO} {TABLE:?}");
    let numbers = &TABLE;
    let last = pass_on!(TABLE).last().copied().unwrap_or(count);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    numbers.iter().sum::<u32>() + last + calls + u32::from(text.is_empty() || first.attempts(pass_on!(RATIO) > 3.0))
}

/// Something that a function is, so that a name in lower case is a receiver.
trait Attempts {
    /// Tries.
    fn attempts(&self, fails: bool) -> bool;
}

impl<T: Fn(Vec<Job>, (u8, u8)) -> Result<Job, String>> Attempts for T {
    fn attempts(&self, fails: bool) -> bool {
        fails && self(Vec::new(), (0, 0)).is_err()
    }
}

/// Names a lifetime.
#[child_entry]
fn longer<'text>(text: &'text str, other: &'text str) -> String {
    let longer: &'text str = if text.len() > other.len() { text } else { other };
    longer.to_owned()
}

/// Stands for several.
#[child_entry(instantiate(Value = u32), instantiate(Value = String))]
#[must_use]
pub fn twice<Value: Clone>(value: &Value) -> [Value; 2] {
    [value.clone(), value.clone()]
}

/// What is wrong with the name is said once, where it is written.
#[child_entry]
fn of_odd_name(#[expect(non_snake_case, reason = "is what is tried out")] Given: u8) -> String {
    Given.to_string()
}

/// Makes an entry.
macro_rules! entry {
    ($(#[$attribute:meta])* $vis:vis $name:ident, $module:ident) => {
        $(#[$attribute])*
        #[child_entry]
        #[must_use]
        $vis fn $name(text: &str) -> usize {
            text.len()
        }

        /// Wholly of the macro.
        pub mod $module {
            /// Joins.
            #[spawnsafe::child_entry]
            #[must_use]
            pub fn joined(words: &[String]) -> String {
                words.concat()
            }
        }
    };
}

entry! {
    /// Of a macro.
    pub made, made_elsewhere
}

/// Its own entry is no use of it.
#[deprecated]
#[child_entry]
fn former() -> String {
    "former".to_owned()
}

#[test]
fn closures() -> Result<(), Error> {
    let add = spawnsafe::spawn!(|left: u32, text: &str| -> usize { text.len().saturating_add(usize::from(left == 1)) });
    assert_eq!(add(1, "ab")?.join()?, 3);
    spawnsafe::call!(|job: &Job| assert!(job.id == 1))(&Job { id: 1 }).run()
}

#[test]
fn all_lints() -> Result<(), Error> {
    assert_eq!(of_odd_name::run(1)?, "1");
    assert_eq!(made::run("ab")?, 2);
    assert_eq!(made_elsewhere::joined::run(&["a".to_owned()])?, "a");
    #[expect(deprecated, reason = "so is the type beside it")]
    let former = former::run()?;
    assert_eq!(former, "former");
    let job = Job { id: 3 };
    assert_eq!(add::run(1, "ab", &job, Path::new("p"))?, add(1, "ab", &job, Path::new("p")));
    assert_eq!(first::run(vec![job], (0, 1))?, Ok(job));
    assert_eq!(first::run(vec![job], (0, 0))?, first(vec![job], (0, 0)));
    assert_eq!(hold::run(Foreign, &[Foreign], job)?, hold(Foreign, &[Foreign], job));
    let _len = GREETING.get_or_init(|| "hello".to_owned()).len();
    COUNT.store(3, Ordering::SeqCst);
    assert_eq!(globals::run()?, (Some(5), 3, false));
    assert_eq!(sums::run(7)?, 6);
    assert_eq!(longer::run("a", "bc")?, longer("a", "bc"));
    assert_eq!(twice::run(&1)?, twice(&1));
    Ok(())
}
