//! Every text that the macros say. What is wrong, in lower case; then, in a line of its own, what to write instead.

use proc_macro2::Ident;

use crate::options::Attribute;

pub(crate) const EMPTY_NAME: &str = "the name of an entry cannot be empty";

pub(crate) const ENTRY_ON_TYPE: &str = "`#[child_entry]` goes on a free function, not on a type";
pub(crate) const ENTRY_ON_IMPL: &str = "`#[child_entry]` goes on a free function, not on an impl block
help: write a free function that calls the method, and put the attribute on that";
pub(crate) const ENTRY_ON_MODULE: &str = "`#[child_entry]` goes on a free function, not on a module
help: put it on each function in the module that is to run in a child process";
pub(crate) const ENTRY_ON_OTHER: &str = "`#[child_entry]` goes on a free function with a body";
pub(crate) const MAIN_ON_OTHER: &str = "`#[process_main]` goes on `fn main`";

pub(crate) const ENTRY_IS_MAIN: &str = "`main` cannot be a child entry: a child process never runs it
help: move the work into a function of its own, and put `#[process_main]` on `main`";
pub(crate) const ENTRY_HIDES_PRIMITIVE: &str =
    "a child entry is also a type, here one that would hide the primitive type of this name
help: choose another name for the function; `#[child_entry(name = \"…\")]` keeps the name of the entry";
pub(crate) const ENTRY_IS_ASYNC: &str = "a child entry cannot be `async`: it has a process of its own, and no runtime
help: write a plain `fn`, and in it `tokio::runtime::Runtime::new()?.block_on(async { … })`";
pub(crate) const ENTRY_IS_UNSAFE: &str =
    "a child entry cannot be `unsafe`: nobody in the child process could uphold its contract
help: write a safe `fn` with an `unsafe` block in it";
pub(crate) const ENTRY_IS_CONST: &str = "a child entry cannot be `const`
help: write a plain `fn` that calls the `const fn`";
pub(crate) const ENTRY_HAS_ABI: &str = "a child entry has no ABI: it is called from Rust only
help: write a plain `fn` that calls the `extern` one";
pub(crate) const ENTRY_IS_VARIADIC: &str = "a child entry cannot be variadic
help: take a `Vec<T>`";
pub(crate) const ENTRY_IS_GENERIC: &str =
    "a child entry cannot be generic: the child process looks it up by its name, so it must be one function
help: write a function with concrete types that calls this one, and put the attribute on that";
pub(crate) const ENTRY_HAS_CONST_PARAMETER: &str =
    "a child entry cannot have a const parameter: the child process looks it up by its name, so it must be one function
help: pass the constant as an argument";

pub(crate) const SELF_PARAMETER: &str = "a child entry cannot take `self`: the object is in the parent process
help: write a free function that takes what it needs by value";
pub(crate) const IMPL_TRAIT_PARAMETER: &str =
    "`impl Trait` is a hidden type parameter, and a child entry must be one function
help: name the type";
pub(crate) const MUT_REFERENCE_PARAMETER: &str =
    "a child process changes only its own copy, so `&mut` would have no effect here
help: take the value (`T`) and return the changed one";
pub(crate) const STATIC_REFERENCE_PARAMETER: &str = "a child process cannot borrow from its parent's memory
help: take `&T` (lent for the time of the call), or an owned `T`";
pub(crate) const DYN_PARAMETER: &str =
    "a child process cannot rebuild a `dyn` value: only this process knows which type is behind it
help: name the type, or use an enum of the types that it can be";

pub(crate) const IMPL_TRAIT_RESULT: &str = "the parent process must know the type that it gets back
help: name the type; collect an iterator into a `Vec`";
pub(crate) const REFERENCE_RESULT: &str = "a child process cannot lend its memory to its parent
help: return the owned form (`String`, `Vec<T>`, `T`)";
pub(crate) const NEVER_RESULT: &str = "a child entry answers by returning, so its result cannot be `!`
help: leave the result out, or return `()`";

pub(crate) const MAIN_IS_NOT_MAIN: &str = "`#[process_main]` goes on `fn main`
help: for a function that is to run in a child process, it is `#[child_entry]`";
pub(crate) const MAIN_HAS_PARAMETERS: &str = "`main` takes no parameters
help: use `std::env::args()`, which is the same in a child process";
pub(crate) const MAIN_TWICE: &str = "`main` carries `#[process_main]` twice
help: remove one";
pub(crate) const MAIN_IS_ENTRY: &str = "`main` cannot be a child entry as well: a child process never runs it
help: move the work into a function of its own, and put `#[child_entry]` on that";
pub(crate) const MAIN_IS_ASYNC: &str = "`main` is `async`, and no runtime's attribute follows
help: put the runtime's attribute below this one:
    #[process_main]
    #[tokio::main]
    async fn main() { … }";

pub(crate) fn unknown_option(attribute: Attribute, option: &Ident) -> String {
    let name = match attribute {
        Attribute::ChildEntry => "child_entry",
        Attribute::ProcessMain => "process_main",
    };
    let known: Vec<_> = attribute.known().iter().map(|known| format!("`{known}`")).collect();
    format!("`#[{name}]` has no option `{option}`\nhelp: it knows {}", known.join(" and "))
}

pub(crate) fn option_twice(option: &Ident) -> String {
    format!("the option `{option}` is given twice\nhelp: remove one")
}
