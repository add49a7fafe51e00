//! From an item to what takes its place.

mod closure;
mod derive;
mod entry;
mod generic;
mod main;
mod statics;
mod trust;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{Item, ItemMod};

use crate::options::{Attribute, Options};
use crate::report::Report;
use crate::{check, fields, item, messages, probes, statics as parsed};

/// `#[child_entry]`.
pub(crate) fn child_entry(options: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let options = Options::parse(Attribute::ChildEntry, options, &mut report);
    let mut function = match item::parse_function(Attribute::ChildEntry, tokens.clone()) {
        Ok(function) => function,
        Err(error) => return beside(tokens, report, error),
    };
    check::entry(&function, &options, &mut report);
    let krate = options.crate_path();
    let scope = options.scope(&krate);
    let has_mentions = probes::of_allowed(&mut function, scope);
    let has_probes = probes::in_function(&mut function, scope) || has_mentions;
    match report.into_tokens() {
        Some(errors) => entry::stub(&function, &options, &errors),
        None if check::leaves_type_out(&function.sig) => entry::stub(&function, &options, &TokenStream::new()),
        None => entry::expand(&function, (!has_probes).then_some(tokens), &options),
    }
}

/// `spawn!` and `call!`.
pub(crate) fn closure(tokens: TokenStream) -> TokenStream {
    closure::expand(tokens)
}

/// `#[spawn_safe]`.
pub(crate) fn spawn_safe(options: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let options = Options::parse(Attribute::SpawnSafe, options, &mut report);
    let krate = options.crate_path();
    let scope = options.scope(&krate);
    // An associated function is read as an item, too; one with a receiver as the part of an impl block.
    let mut item = match syn::parse2::<Item>(tokens.clone()) {
        Ok(item) => item,
        Err(error) => return beside(tokens, report, error),
    };
    let mut refuse = |message| {
        report.add(syn::Error::new(Span::call_site(), message));
        false
    };
    let beside = match &item {
        Item::Impl(_) | Item::Mod(_) => probes::of_allowed_beside(&tokens, scope),
        _ => TokenStream::new(),
    };
    let has_probes = match &mut item {
        Item::Fn(function) if check::is_entry(&function.attrs) => refuse(messages::SPAWN_SAFE_ON_ENTRY),
        Item::Fn(function) => {
            let has_mentions = probes::of_allowed(function, scope);
            probes::in_function(function, probes::Scope { may_be_associated: true, ..scope }) || has_mentions
        }
        Item::Impl(block) => probes::in_impl(block, scope),
        Item::Mod(ItemMod { content: Some((_, items)), .. }) => probes::in_items(items, scope),
        Item::Mod(_) => refuse(messages::SPAWN_SAFE_ON_FILE),
        _ => refuse(messages::SPAWN_SAFE_ON_OTHER),
    };
    // What nothing was added to need not be written anew, token by token.
    let item = if has_probes { item.into_token_stream() } else { tokens };
    let errors = report.into_tokens();
    quote!(#item #beside #errors)
}

/// `#[process_main]`.
pub(crate) fn process_main(options: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let options = Options::parse(Attribute::ProcessMain, options, &mut report);
    let function = match item::parse_function(Attribute::ProcessMain, tokens.clone()) {
        Ok(function) => function,
        Err(error) => return beside(tokens, report, error),
    };
    check::main(&function, &mut report);
    match report.into_tokens() {
        Some(errors) => main::stub(function, &errors),
        None => main::expand(function, &options),
    }
}

/// `#[derive(SpawnSafe)]`.
pub(crate) fn spawn_safe_type(tokens: TokenStream) -> TokenStream {
    let mut report = Report::default();
    match syn::parse2(tokens) {
        Ok(input) => {
            let model = fields::model(&input, &mut report);
            derive::expand(&input, &model, report.into_tokens())
        }
        Err(error) => error.into_compile_error(),
    }
}

/// `#[inherit]` and `#[process_local]`.
pub(crate) fn global(attribute: Attribute, options: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut report = Report::default();
    let options = Options::parse(attribute, options, &mut report);
    let item = match parsed::parse(attribute, tokens.clone()) {
        Ok(item) => item,
        Err(error) => return beside(tokens, report, error),
    };
    let is_whole = parsed::check(attribute, &item, &mut report);
    let expanded = match attribute {
        _ if !is_whole => statics::stub(item, &options),
        Attribute::Inherit => statics::inherit(&item, &options),
        _ => statics::process_local(&item, &options),
    };
    let errors = report.into_tokens();
    quote!(#errors #expanded)
}

/// The item unchanged, so that the rest of the crate is still checked, and what is wrong.
fn beside(item: TokenStream, mut report: Report, error: syn::Error) -> TokenStream {
    report.add(error);
    let errors = report.into_tokens();
    quote!(#item #errors)
}

/// The same tokens at another place: a path that is used at the user's type must point there in errors.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let proc_macro2::TokenTree::Group(group) = &token {
                let mut respanned = proc_macro2::Group::new(group.delimiter(), respan(group.stream(), span));
                respanned.set_span(span);
                token = respanned.into();
            }
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}
