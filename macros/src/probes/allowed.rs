//! The statics of `allow_static(…)`: an item need not use all, but there must be such a thing.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::Path;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use super::emit;

/// Code that never runs and names those that the item does not mention, so that rustc says which of them do not exist.
/// What is mentioned may be something of the item's own, or known there by a shorter path.
pub(super) fn mentions(allowed: &[Path], item: &TokenStream) -> Vec<TokenStream> {
    let missing = allowed.iter().filter(|path| !is_mentioned(item.clone(), &name(path)));
    missing.map(mention).collect()
}

fn mention(path: &Path) -> TokenStream {
    let span = Span::mixed_site().located_at(path.span());
    // It may be a `static mut`.
    let (keyword, path) = (Ident::new("unsafe", span), emit::unlinted(path.to_token_stream()));
    quote_spanned!(span=> const _: fn() = || { let _ = #keyword { &#path }; };)
}

fn name(path: &Path) -> String {
    path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default()
}

/// Whether the name is somewhere in the tokens, also in a text: that may be a format string.
fn is_mentioned(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word.unraw() == name,
        TokenTree::Group(group) => is_mentioned(group.stream(), name),
        TokenTree::Literal(literal) => literal.to_string().contains(name),
        TokenTree::Punct(_) => false,
    })
}
