//! What an attribute was put on.

use proc_macro2::{Span, TokenStream};
use syn::{Item, ItemFn};

use crate::messages;
use crate::options::Attribute;

/// The function under the attribute, or the fault.
pub(crate) fn parse_function(attribute: Attribute, tokens: TokenStream) -> Result<ItemFn, syn::Error> {
    let error = match syn::parse2::<ItemFn>(tokens.clone()) {
        Ok(function) => return Ok(function),
        Err(error) => error,
    };
    match syn::parse2::<Item>(tokens) {
        Ok(item) => Err(syn::Error::new(Span::call_site(), wrong_item(attribute, &item))),
        // Not an item that this version of syn can read. If it is a function, its own fault is what counts.
        Err(_) => Err(error),
    }
}

fn wrong_item(attribute: Attribute, item: &Item) -> &'static str {
    match (attribute, item) {
        (Attribute::ProcessMain, _) => messages::MAIN_ON_OTHER,
        (_, Item::Struct(_) | Item::Enum(_) | Item::Union(_) | Item::Type(_)) => messages::ENTRY_ON_TYPE,
        (_, Item::Impl(_)) => messages::ENTRY_ON_IMPL,
        (_, Item::Mod(_)) => messages::ENTRY_ON_MODULE,
        _ => messages::ENTRY_ON_OTHER,
    }
}
