//! The macros of spawnsafe as a library, which tells how many probes they put into a function.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "only `#[spawn_safe]` is used here")]

#[path = "../../../macros/src"]
mod inside {
    pub(crate) mod check;
    pub(crate) mod expand;
    pub(crate) mod fields;
    pub(crate) mod item;
    pub(crate) mod messages;
    pub(crate) mod model;
    pub(crate) mod options;
    pub(crate) mod probes;
    pub(crate) mod report;
    pub(crate) mod statics;
}

// Where they name each other.
use inside::{check, expand, fields, item, messages, model, options, probes, report, statics};
use proc_macro2::{TokenStream, TokenTree};

/// How many probes `#[spawn_safe]` puts into this function.
pub fn probes_of(function: TokenStream) -> usize {
    count(expand::spawn_safe(TokenStream::new(), function))
}

fn count(tokens: TokenStream) -> usize {
    let one = |token| match token {
        TokenTree::Group(group) => count(group.stream()),
        TokenTree::Ident(name) => usize::from(name.to_string().contains("_is_not_inherited_by_a_spawned_child")),
        _ => 0,
    };
    tokens.into_iter().map(one).sum()
}
