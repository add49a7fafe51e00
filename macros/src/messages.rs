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
help: put it on the function that is to run in a child process; for a type that is passed to one, it is `#[derive(SpawnSafe)]`";
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
pub(crate) const ENTRY_IS_ASYNC: &str = "an `async` child entry runs on tokio, which is not switched on
help: in Cargo.toml: `spawnsafe = { version = \"…\", features = [\"tokio\"] }`; or write a plain `fn`";
pub(crate) const FLAVOR_UNKNOWN: &str = "the runtime of an `async` child entry has one of two flavors
help: write `flavor = \"multi_thread\"`, or `flavor = \"current_thread\"`, which it is without the option";
pub(crate) const WORKERS_ARE_NO_NUMBER: &str = "`worker_threads` takes a number from 1 to 65535
help: write `worker_threads = 4`, or leave it out for one thread per core";
pub(crate) const ON_LOSS_UNKNOWN: &str =
    "`on_loss` says what becomes of a task whose worker or node has vanished, which may or may not have run
help: write `on_loss = retry(3)` if the function may run more than once, or `on_loss = fail`, which it is without the option";
pub(crate) const RETRIES_ARE_NO_NUMBER: &str = "`retry` takes a number from 1 to 65535
help: write `on_loss = retry(3)`";
pub(crate) const WORKERS_OF_ONE_THREAD: &str = "a runtime of the flavor `current_thread` has no worker threads
help: write `flavor = \"multi_thread\"` beside it, or leave it out";
pub(crate) const ENTRY_IS_UNSAFE: &str =
    "a child entry cannot be `unsafe`: nobody in the child process could uphold its contract
help: write a safe `fn` with an `unsafe` block in it";
pub(crate) const ENTRY_IS_CONST: &str = "a child entry cannot be `const`
help: write a plain `fn` that calls the `const fn`";
pub(crate) const ENTRY_HAS_ABI: &str = "a child entry has no ABI: it is called from Rust only
help: write a plain `fn` that calls the `extern` one";
pub(crate) const ENTRY_IS_VARIADIC: &str = "a child entry cannot be variadic
help: take a `Vec<T>`";
pub(crate) const INSTANCE_ARGUMENT: &str = "`instantiate` takes a type or a constant for each parameter of the function
help: write `instantiate(T = u32)`, or `instantiate(T = u32, N = 4)`";
pub(crate) const INSTANCE_OF_ONE_FUNCTION: &str = "the function is not generic, so there is nothing to choose
help: leave `instantiate` out";
pub(crate) const INSTANCE_TWICE: &str = "the child entry has this instance already
help: remove one";

pub(crate) const NO_CLOSURE: &str = "a closure is expected here
help: write `|x: u32| -> u32 { x + 1 }`; a function is called in a child process by `function::spawn(…)`, with
      `#[child_entry]` on it";
pub(crate) const CLOSURE_MOVES: &str =
    "there is nothing to `move`: the child process does not have the variables around the closure
help: pass each as an argument: `|x: u32, name: &str| -> u32 { … }` and, where it is called, `(x, &name)`";
pub(crate) const CLOSURE_USES_SELF: &str = "the child process has no `self`: it is in the parent process
help: pass what is needed of it as an argument: `|n: u32| -> u32 { … }` and, where it is called, `(self.n)`";
pub(crate) const CLOSURE_NAMES_SELF_TYPE: &str = "the closure becomes a function of its own, which has no `Self`
help: name the type";
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

pub(crate) const TRUST_TWICE: &str = "`#[trust]` is given twice
help: remove one";
pub(crate) const TRUST_HAS_OPTIONS: &str = "`#[trust]` takes no options
help: write `#[trust]`";
pub(crate) const TRUST_NEEDLESS: &str = "`#[trust]` is for types of other crates, and this one can be passed as it is
help: remove `#[trust]`";
pub(crate) const TRUST_IN_GENERIC: &str = "`#[trust]` and `instantiate` do not go together
help: make the parameter a type of your own with `#[derive(SpawnSafe)]`, and put `#[trust]` on its field";
pub(crate) const TRUST_ON_OTHER: &str = "`#[trust]` goes on a field
help: put it before each field whose type is plain data of another crate";
pub(crate) const OPTIONS_ON_OTHER: &str = "`#[spawnsafe(…)]` goes on the type
help: put it beside `#[derive(SpawnSafe)]`";

pub(crate) fn union(name: &Ident) -> String {
    format!(
        "the union `{name}` cannot be passed between processes: nobody knows which of its fields is there
help: make it an enum"
    )
}

pub(crate) fn borrowing_type(name: &Ident) -> String {
    format!(
        "`{name}` borrows, and a child process cannot borrow from its parent's memory
help: give it the owned form of each field (`String`, `Vec<T>`, `T`), and no lifetime"
    )
}

pub(crate) const INHERIT_THREAD_LOCAL: &str =
    "a thread-local static belongs to one thread, and a child has none of its parent's
help: for a value that all threads share: `#[inherit] static NAME: Mutex<T> = Mutex::new(…);`";
pub(crate) const INHERIT_LAZY: &str =
    "what computes an inherited `LazyLock` must be seen here, to be left out in a child
help: write `LazyLock::new(…)`, with a closure or a function";
pub(crate) const PROCESS_LOCAL_THREAD_LOCAL: &str = "`#[process_local]` goes on the static inside `thread_local!`
help: write `thread_local! { #[spawnsafe::process_local] static NAME: … }`";
pub(crate) const STATIC_BOTH: &str = "a static is either inherited, or each process's own
help: remove `#[inherit]` or `#[process_local]`";

pub(crate) fn not_on_static(attribute: Attribute) -> String {
    format!(
        "`#[{attribute}]` goes on a `static`
help: put it above `static NAME: OnceLock<T> = OnceLock::new();`, or another static that is set at run time"
    )
}

pub(crate) fn static_is_const(attribute: Attribute) -> String {
    format!(
        "a `const` is the same in every process, so `#[{attribute}]` means nothing here
help: remove the attribute; for a value that is set at run time: `static NAME: OnceLock<T> = OnceLock::new();`"
    )
}

pub(crate) fn static_is_mut(attribute: Attribute) -> String {
    format!(
        "`#[{attribute}]` cannot guard a `static mut`, which any thread may be changing
help: write `static NAME: Mutex<T> = Mutex::new(…);`, or use an atomic"
    )
}

pub(crate) fn static_twice(attribute: Attribute) -> String {
    format!("the static carries `#[{attribute}]` twice\nhelp: remove one")
}

pub(crate) fn no_option(attribute: Attribute) -> String {
    format!("`#[{attribute}]` takes options of the form `option = value`\nhelp: it knows {}", known_options(attribute))
}

pub(crate) fn unknown_option(attribute: Attribute, option: &Ident) -> String {
    format!("`#[{attribute}]` has no option `{option}`\nhelp: it knows {}", known_options(attribute))
}

/// `a`, `b` and `c`.
fn listed(words: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => words.concat(),
    }
}

fn known_options(attribute: Attribute) -> String {
    listed(attribute.known().iter().map(|(_, form)| form))
}

pub(crate) fn option_without_value(form: &str, option: &Ident) -> String {
    format!("the option `{option}` needs a value\nhelp: write `{form}`")
}

pub(crate) fn option_twice(option: &Ident) -> String {
    format!("the option `{option}` is given twice\nhelp: remove one")
}

pub(crate) fn flavor_of_plain_function(option: &Ident) -> String {
    format!(
        "`{option}` is for `async` functions: a plain one needs no runtime\nhelp: write `async fn`, or leave it out"
    )
}

pub(crate) fn entry_is_generic(example: &str) -> String {
    format!(
        "a generic child entry stands for many functions, and the child process must find each by its name\n\
         help: list those that are used, here or from other crates: `#[child_entry({example})]`"
    )
}

pub(crate) fn instantiate_without_list(form: &str) -> String {
    format!("the option `instantiate` needs the types of one instance\nhelp: write `{form}`, once for each instance")
}

pub(crate) fn instance_of_unknown_parameter(name: &Ident, known: &[&Ident]) -> String {
    format!("the function has no parameter `{name}` to choose\nhelp: it has {}", listed(known))
}

pub(crate) fn instance_argument_twice(name: &Ident) -> String {
    format!("`{name}` is given twice\nhelp: remove one, or write an `instantiate(…)` for each")
}

pub(crate) fn instance_incomplete(missing: &[&Ident], example: &str) -> String {
    format!("this instance leaves out {}\nhelp: give all of them: `{example}`", listed(missing))
}

pub(crate) fn untyped_parameter(pattern: &str) -> String {
    format!(
        "a parameter needs a type here: the child process makes its value anew, from bytes\n\
         help: write `{pattern}: Type`, as `{pattern}: u32`"
    )
}

/// What rustc says of an instance that is not listed: the message, its label, and what to do. `{T}` stands for what the
/// parameter `T` is in the call.
pub(crate) fn instance_not_listed(entry: &Ident, parameters: &[&Ident]) -> [String; 3] {
    let arguments: Vec<_> = parameters.iter().map(|name| format!("{name} = {{{name}}}")).collect();
    let arguments = arguments.join(", ");
    [
        format!("the child entry `{entry}` has no instance for `{arguments}`"),
        "not listed, so a child process would not find it".to_owned(),
        format!("list it: `#[child_entry(instantiate({arguments}))]`"),
    ]
}
