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
mod probes;
mod report;

use proc_macro::TokenStream;

/// See `spawnsafe::child_entry`: the documentation stands there, where its examples can run.
#[proc_macro_attribute]
pub fn child_entry(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::child_entry(options.into(), item.into()).into()
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
