//! The attribute macros of `spawnsafe`, which re-exports and documents them. Nobody depends on this crate directly.
//!
//! Each macro parses (`options`, `item`, `statics`), checks and collects every fault (`check`), and only then expands, which
//! cannot fail (`expand`). All texts are in `messages`.

mod check;
mod expand;
mod fields;
mod item;
mod messages;
mod model;
mod options;
mod probes;
mod report;
mod statics;

use proc_macro::TokenStream;

/// See `spawnsafe::child_entry`: the documentation stands there, where its examples can run.
#[proc_macro_attribute]
pub fn child_entry(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::child_entry(options.into(), item.into()).into()
}

/// See `spawnsafe::SpawnSafe`: the documentation stands there, where its examples can run.
#[proc_macro_derive(SpawnSafe, attributes(spawnsafe, trust))]
pub fn spawn_safe_type(item: TokenStream) -> TokenStream {
    expand::spawn_safe_type(item.into()).into()
}

/// See `spawnsafe::inherit`: the documentation stands there, where its examples can run.
#[proc_macro_attribute]
pub fn inherit(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::global(options::Attribute::Inherit, options.into(), item.into()).into()
}

/// See `spawnsafe::process_local`: the documentation stands there, where its examples can run.
#[proc_macro_attribute]
pub fn process_local(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::global(options::Attribute::ProcessLocal, options.into(), item.into()).into()
}

/// See `spawnsafe::spawn_safe`: the documentation stands there, where its examples can run.
#[proc_macro_attribute]
pub fn spawn_safe(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::spawn_safe(options.into(), item.into()).into()
}

/// See `spawnsafe::process_main`: the documentation stands there, where its examples can run.
#[proc_macro_attribute]
pub fn process_main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::process_main(options.into(), item.into()).into()
}

/// See `spawnsafe::spawn` and `spawnsafe::call`, which pass on the path of the crate and their own name.
#[doc(hidden)]
#[proc_macro]
pub fn closure(tokens: TokenStream) -> TokenStream {
    expand::closure(tokens.into()).into()
}

/// Not for users. The item, and beside it what stands in the parentheses: where no item can stand, as among associated
/// functions, rustc drops the item with its attributes, and that is then the only error.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn beside(items: TokenStream, mut item: TokenStream) -> TokenStream {
    item.extend(items);
    item
}
