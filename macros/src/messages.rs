//! Every text that the macros say. What is wrong, in lower case; then, in a line of its own, what to write instead.

use proc_macro2::Ident;

use crate::options::Attribute;

pub(crate) const EMPTY_NAME: &str = "the name of an entry cannot be empty
help: leave the option out, and the entry is called after its module and its function";
pub(crate) const NAME_IS_NO_STRING: &str = "the name of an entry is a string literal
help: write `name = \"…\"`";
pub(crate) const CRATE_IS_NO_PATH: &str = "`crate` takes the path of the spawnsafe crate, without quotes
help: write `crate = path::to::spawnsafe`";
pub(crate) const STATIC_IS_NO_PATH: &str = "`allow_static` takes the paths of statics
help: write `allow_static(path::to::STATIC, OTHER)`";
pub(crate) const COMMA_MISSING: &str = "options are separated by commas
help: write a `,` before this";

pub(crate) const ENTRY_ON_TYPE: &str = "`#[child_entry]` goes on a free function, not on a type
help: put it on the function that is to run in a child process; for a type that is passed to one, implement `SpawnSafe`";
pub(crate) const ENTRY_ON_IMPL: &str = "`#[child_entry]` goes on a free function, not on an impl block
help: write a free function that calls the method, and put the attribute on that";
pub(crate) const ENTRY_ON_MODULE: &str = "`#[child_entry]` goes on a free function, not on a module
help: put it on each function in the module that is to run in a child process";
pub(crate) const ENTRY_ON_OTHER: &str = "`#[child_entry]` goes on a free function with a body
help: write `fn name(…) { … }` outside of traits, impl blocks and extern blocks, and put the attribute on that";
pub(crate) const SPAWN_SAFE_ON_FILE: &str = "`#[spawn_safe]` cannot look into a module in a file of its own
help: put it on the functions and impl blocks in that file";
pub(crate) const SPAWN_SAFE_ON_OTHER: &str =
    "`#[spawn_safe]` goes on a function with a body, an impl block, or an inline module
help: put it on what the entry calls; a static of this process that entries may use is `#[process_local]`";
pub(crate) const SPAWN_SAFE_ON_ENTRY: &str = "`#[child_entry]` checks the statics of its function already
help: remove `#[spawn_safe]`";
pub(crate) const ENTRY_IN_IMPL: &str = "`#[child_entry]` goes on a free function, which has no `Self`
help: move the function out of the impl block or trait, and name the type";
pub(crate) const ENTRY_TWICE: &str = "the function carries `#[child_entry]` twice
help: remove one";
pub(crate) const MAIN_ON_OTHER: &str = "`#[process_main]` goes on `fn main`
help: put it above `fn main() { … }`, once in the program";

pub(crate) const ENTRY_IS_MAIN: &str = "`main` cannot be a child entry: a child process never runs it
help: move the work into a function of its own, and put `#[process_main]` on `main`";
pub(crate) const ENTRY_HIDES_PRIMITIVE: &str =
    "a child entry is also a type, here one that would hide the primitive type of this name
help: choose another name for the function; `#[child_entry(name = \"…\")]` keeps the name of the entry";
pub(crate) const ENTRY_IS_ASYNC: &str = "a child entry cannot be `async`: it has a process of its own, and no runtime
help: write a plain `fn` that starts a runtime: `tokio::runtime::Runtime::new().unwrap().block_on(async { … })`";
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
help: name the type that is passed: `Vec<u32>`, say, for `impl Iterator<Item = u32>`";
pub(crate) const FUNCTION_POINTER: &str =
    "a function pointer is an address in this process, and means nothing in a child
help: pass an enum that says which function to call, or make each function an entry of its own";
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

pub(crate) fn no_option(attribute: Attribute) -> String {
    format!("`#[{attribute}]` takes options of the form `option = value`\nhelp: it knows {}", known_options(attribute))
}

pub(crate) fn unknown_option(attribute: Attribute, option: &Ident) -> String {
    format!("`#[{attribute}]` has no option `{option}`\nhelp: it knows {}", known_options(attribute))
}

fn known_options(attribute: Attribute) -> String {
    attribute.known().iter().map(|(_, form)| format!("`{form}`")).collect::<Vec<_>>().join(" and ")
}

pub(crate) fn option_without_value(form: &str, option: &Ident) -> String {
    format!("the option `{option}` needs a value\nhelp: write `{form}`")
}

pub(crate) fn option_twice(option: &Ident) -> String {
    format!("the option `{option}` is given twice\nhelp: remove one")
}
