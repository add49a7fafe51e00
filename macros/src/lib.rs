//! The attribute macros of `spawnsafe`, which re-exports and documents them. Nobody depends on this crate directly.
//!
//! Each macro parses (`options`, `item`), checks and collects every fault (`check`), and only then expands, which
//! cannot fail (`expand`). All texts are in `messages`.

mod check;
mod expand;
mod item;
mod messages;
mod model;
mod options;
mod report;

use proc_macro::TokenStream;

/// Makes a function callable in a child process.
///
/// The function stays what it is. Beside it stands a type of the same name (functions and types have separate
/// namespaces, so `use` imports both), and for `fn count(text: &str, min: usize) -> usize` that type has:
///
/// | | |
/// |---|---|
/// | `count::run(text, 1)` | `Result<usize, Error>`: start a child and wait for the result |
/// | `count::spawn(text, 1)` | `Result<Child<usize>, Error>`: start a child |
/// | `count::call(text, 1)` | `Call<usize>`: pack the arguments, set the process up, and start it later |
/// | `count::NAME` | `&'static str`: the name under which a child finds the entry |
///
/// # What can be an entry
/// A free function, also inside another function's body, with any number of parameters. Each parameter is a
/// `SpawnSafe` type by value, or as a whole a reference that is lent: `&T`, `&str`, `&[T]`, `&Path`. The result is a
/// `SpawnSafe` type. Patterns, `mut`, attributes and `#[cfg]` on parameters work. Not possible are methods, generic
/// types, `async`, `unsafe`, `const` and `extern` functions, `&mut` and `&'static` parameters: each is an error that
/// says what to write instead.
///
/// ```compile_fail
/// #[spawnsafe::child_entry]
/// fn append(list: &mut Vec<u32>) { list.push(1) }
/// # fn main() {}
/// ```
///
/// # Options
/// - `name = "…"`: the entry's name; by default the module's path and the function's name. It must be the only one of
///   its name in the program, across all crates: a start is an `ErrorKind::DuplicateEntry` otherwise.
/// - `crate = path`: where to find `spawnsafe`, if it was renamed or is re-exported by another crate.
///
/// ```
/// use std::path::Path;
/// use spawnsafe::child_entry;
///
/// #[child_entry(name = "checksum")]
/// fn checksum(path: &Path, #[allow(unused)] mut seed: u32) -> Result<u32, spawnsafe::RemoteError> {
///     for byte in std::fs::read(path)? {
///         seed = seed.rotate_left(5) ^ u32::from(byte);
///     }
///     Ok(seed)
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!(checksum::NAME, "checksum");
/// let sum = checksum::run(Path::new("Cargo.toml"), 0)??;
/// assert_eq!(sum, checksum(Path::new("Cargo.toml"), 0)?);
/// # Ok(()) }
/// ```
#[proc_macro_attribute]
pub fn child_entry(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::child_entry(options.into(), item.into()).into()
}

/// Lets a program start child processes: goes on `fn main`.
///
/// A child is the same program, started anew. This attribute puts one statement at the start of `main`: in a process
/// that was started as a child, it runs the entry and exits; in any other process it does nothing. So the body of
/// `main` runs in the root process only. Without the attribute a child would run the body as well, and start children
/// of its own without end; therefore every start is then an `ErrorKind::NoProcessMain`, and no process comes to be.
///
/// `main` keeps its signature and may return whatever it could before. The attribute goes above a runtime's, so that
/// a child does not start that runtime:
///
/// ```ignore
/// #[spawnsafe::process_main]
/// #[tokio::main]
/// async fn main() -> anyhow::Result<()> { … }
/// ```
///
/// # Options
/// - `crate = path`: where to find `spawnsafe`, if it was renamed or is re-exported by another crate.
#[proc_macro_attribute]
pub fn process_main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::process_main(options.into(), item.into()).into()
}
