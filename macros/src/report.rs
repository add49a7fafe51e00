//! Collects every fault of an item, so that one compile shows them all; and the places of what is generated.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Report(Option<syn::Error>);

impl Report {
    /// Notes a fault at some tokens.
    pub(crate) fn at(&mut self, tokens: &(impl quote::ToTokens + ?Sized), message: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a fault.
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Notes all of another report's faults. Whether there are none.
    pub(crate) fn take_all(&mut self, other: Self) -> bool {
        let is_empty = other.is_empty();
        other.0.into_iter().for_each(|error| self.add(error));
        is_empty
    }

    /// What the compiler is to report; `None` if nothing is wrong.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        self.0.map(|error| error.into_compile_error())
    }
}

/// The place of what the user wrote, marked as this macro's code: errors point there, and the lints of the user's
/// crate do not apply to it.
pub(crate) fn located_at(tokens: &impl Spanned) -> Span {
    Span::mixed_site().located_at(tokens.span())
}

/// The same name, to which the lints of the user's crate do not apply: they have been through it where the user wrote it.
/// It still means what that one means, but is told apart no longer from one of this name that a `macro_rules!` has made.
pub(crate) fn unlinted(name: &Ident) -> Ident {
    // Raw, since what is a name in the edition of the user's crate (`gen`) may be a keyword in that of this one.
    Ident::new_raw(&name.unraw().to_string(), Span::call_site().located_at(name.span()))
}

/// A name for a variable of generated code, which no name of the user's can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
