//! Code that never runs, beside each path in a body that may name a static which a child process has its own copy of.
//! What it does is decided by rustc, in `spawnsafe::__private` (module `probe` there).
//!
//! A macro knows no types and no other items, so this is about names and places: `names` says what may be a static,
//! `bindings` what the body itself binds, `places` in which places a static can be used so that it matters, `arguments`
//! and `format` look into the arguments of macros, `emit` writes the code.
//!
//! Two rules are above all others. A name that only looks like a static must not break a build: where it is not certain
//! that the name is a value at all, the probe is written so that any name compiles (`emit::tolerant`). And a body's
//! tokens stay as they are: the probes stand before its first statement, or before that of a block with items of its
//! own.

mod allowed;
mod arguments;
mod bindings;
mod emit;
mod format;
mod names;
mod places;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Block, Generics, ImplItem, Item, ItemFn, ItemImpl, Path, Safety, Signature, Stmt};

use crate::check;

/// What is the same for all probes of an item.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The path to `spawnsafe`.
    pub(crate) krate: &'a TokenStream,
    /// The statics that are allowed.
    pub(crate) allowed: &'a [Path],
    /// Whether a function may stand in an impl block or a trait, whose constant parameters are not seen.
    pub(crate) may_be_associated: bool,
}

/// Adds the probes to a function. `false` if there are none, and it is as it was.
pub(crate) fn in_function(function: &mut ItemFn, scope: Scope<'_>) -> bool {
    in_body(&function.sig, &mut function.block, &[], scope)
}

/// Adds the check of what is allowed and not mentioned. `false` if there is nothing to check.
pub(crate) fn of_allowed(function: &mut ItemFn, scope: Scope<'_>) -> bool {
    let mentions = allowed::mentions(scope.allowed, &function.to_token_stream());
    let statements: Vec<_> = mentions.into_iter().map(|mention| Stmt::Item(Item::Verbatim(mention))).collect();
    let has_mentions = !statements.is_empty();
    function.block.stmts.splice(0..0, statements);
    has_mentions
}

/// The same for what is no function: it goes beside the item.
pub(crate) fn of_allowed_beside(item: &TokenStream, scope: Scope<'_>) -> TokenStream {
    // In a module, these are about other places than beside it.
    let is_relative =
        |path: &&Path| path.segments.first().is_some_and(|first| first.ident == "self" || first.ident == "super");
    let paths: Vec<_> = scope.allowed.iter().filter(|path| !is_relative(path)).cloned().collect();
    allowed::mentions(&paths, item).into_iter().collect()
}

/// Adds the probes to all functions of an impl block. `false` if there are none.
pub(crate) fn in_impl(block: &mut ItemImpl, scope: Scope<'_>) -> bool {
    let mut has_probes = false;
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            has_probes |= in_body(&function.sig, &mut function.block, &[&block.generics], scope);
        }
    }
    has_probes
}

/// Adds the probes to all functions of a module that may run in a child process. `false` if there are none.
pub(crate) fn in_items(items: &mut [Item], scope: Scope<'_>) -> bool {
    let mut has_probes = false;
    for item in items {
        match item {
            Item::Fn(function) if !runs_elsewhere(&function.attrs) => has_probes |= in_function(function, scope),
            Item::Impl(block) if !runs_elsewhere(&block.attrs) => has_probes |= in_impl(block, scope),
            Item::Trait(definition) => {
                for item in &mut definition.items {
                    if let syn::TraitItem::Fn(syn::TraitItemFn { sig, default: Some(body), .. }) = item {
                        has_probes |= in_body(sig, body, &[&definition.generics], scope);
                    }
                }
            }
            Item::Mod(module) if !runs_elsewhere(&module.attrs) => {
                if let Some((_, items)) = &mut module.content {
                    has_probes |= in_items(items, scope);
                }
            }
            _ => {}
        }
    }
    has_probes
}

/// Whether the item has its own probes, or belongs to the parent process: `main`, and tests.
fn runs_elsewhere(attributes: &[syn::Attribute]) -> bool {
    let named = |name: &&str| attributes.iter().any(|attribute| check::is(attribute, name));
    let for_tests = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    };
    ["child_entry", "spawn_safe", "process_main", "test"].iter().any(named) || attributes.iter().any(for_tests)
}

fn in_body(signature: &Signature, body: &mut Block, around: &[&Generics], scope: Scope<'_>) -> bool {
    let bound = bindings::of(signature, body, around);
    let is_unsafe = matches!(signature.safety, Safety::Unsafe(_));
    places::Finder::new(scope, bound, is_unsafe).run(body)
}
