//! Writes the probes.
//!
//! All of a probe stands at the user's path, so that errors do, and is marked as this macro's code, so that the lints of
//! the user's crate do not apply to it.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, ItemUse, Path};

use super::bindings::Declared;
use super::places::{How, Use};
use crate::expand::respan;

/// What the probes of two uses with the same `#[cfg]`s have in common.
pub(super) fn key(cfgs: &[Attribute]) -> BTreeSet<String> {
    cfgs.iter().map(|cfg| cfg.to_token_stream().to_string()).collect()
}

/// The probe of a use in a block; the index tells those of one block apart. `None` if it turns out that there is nothing
/// to ask.
pub(super) fn probe(found: &Use, index: usize, declared: &Declared, krate: &TokenStream) -> Option<TokenStream> {
    let span = Span::mixed_site().located_at(found.span);
    let krate = respan(krate.clone(), span);
    let probe = Probe { found, span, private: quote_spanned!(span=> #krate::__private) };
    let first = found.path.segments.first()?.ident.unraw().to_string();
    let body = match found.certain || declared.values.contains(&first) {
        true => probe.certain(&found.path),
        false => probe.tolerant(declared)?,
    };
    let last = found.path.segments.last()?.ident.unraw();
    // rustc shows the name when it fails to evaluate the constant.
    let name = match index {
        0 => format_ident!("{last}_is_not_inherited_by_a_spawned_child", span = span),
        _ => format_ident!("{last}_is_not_inherited_by_a_spawned_child_{index}", span = span),
    };
    let cfgs = &found.cfgs;
    Some(quote_spanned!(span=> #(#cfgs)* const #name: () = { #body };))
}

struct Probe<'a> {
    found: &'a Use,
    span: Span,
    /// What generated code may name.
    private: TokenStream,
}

impl Probe<'_> {
    /// The probe of a path that certainly names a value.
    fn certain(&self, path: &Path) -> TokenStream {
        let Self { span, private, .. } = self;
        let keyword = Ident::new("unsafe", *span);
        let place = match self.found.how {
            How::Place => quote_spanned!(*span=> &#path),
            How::UnsafePlace => quote_spanned!(*span=> (#keyword { &#path })),
            How::Address => quote_spanned!(*span=> &raw const #path),
        };
        let verdict = quote_spanned!(*span=> || #private::Probe(#place).verdict());
        match self.found.how {
            How::Address => quote_spanned! {*span=>
                #private::read_raw(#place, &#verdict)
            },
            _ => quote_spanned! {*span=>
                static __SPAWNSAFE_PLACE: #private::Place = #private::Place { of: #place as &dyn #private::Anything };
                #private::read(__SPAWNSAFE_PLACE.of, &#verdict)
            },
        }
    }

    /// The probe of what may be a value, a type, or nothing at all.
    ///
    /// A name is looked up from the innermost block outwards. The inner one has all names of the module, by a glob, and
    /// the imports of the block around; if none of them is a value of this name, that of the outer block is, which is
    /// harmless.
    fn tolerant(&self, declared: &Declared) -> Option<TokenStream> {
        let Self { span, private, .. } = self;
        let path = &self.found.path;
        let names: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
        let missing = |name: &Ident| {
            let name = ident(name, *span);
            quote_spanned!(*span=> const #name: #private::Missing = #private::Missing;)
        };
        match *names {
            _ if path.leading_colon.is_some() => None,
            [name] if declared.may_declare(&name.unraw().to_string()) && !imports(declared, name) => None,
            [name] => {
                let (missing, certain) = (missing(name), self.certain(path));
                let imports = declared.imports.iter().map(|import| self.copy(import));
                Some(quote_spanned!(*span=> #missing { use self::*; #(#imports)* #certain }))
            }
            // Whatever it is, it exists: an import brings all that has the name, and it need not be a value.
            [first, ..] if ["crate", "$crate", "self", "super"].iter().any(|word| first == word) => {
                let name = Ident::new("__SPAWNSAFE_VALUE", *span);
                let (missing, certain) = (missing(&name), self.certain(&name.clone().into()));
                Some(quote_spanned!(*span=> #missing { use #path as #name; #certain }))
            }
            [module, name] => {
                let module = ident(module, *span);
                let (missing, certain) = (missing(name), self.certain(path));
                Some(quote_spanned! {*span=>
                    enum #module {}
                    impl #module { #missing }
                    { use self::*; #certain }
                })
            }
            _ => None,
        }
    }

    /// An import, without the lints that it has been through where the user wrote it.
    fn copy(&self, import: &ItemUse) -> TokenStream {
        let (colons, tree) = (&import.leading_colon, import.tree.to_token_stream());
        // This word stays the user's, and lints apply to it.
        let allowed = mentions_crate(tree.clone()).then(|| quote_spanned!(self.span=> #[allow(unused_imports)]));
        let tree = unlinted(tree);
        quote_spanned!(self.span=> #allowed use #colons #tree;)
    }
}

fn mentions_crate(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "$crate",
        TokenTree::Group(group) => mentions_crate(group.stream()),
        _ => false,
    })
}

/// The same name, as one of this macro's making.
fn ident(name: &Ident, span: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(span);
    name
}

/// Whether one of the block's imports, and not another item, may have this name.
fn imports(declared: &Declared, name: &Ident) -> bool {
    declared.has_glob || declared.imported.contains(&name.unraw().to_string())
}

/// The same tokens as this macro's making.
pub(super) fn unlinted(tokens: TokenStream) -> TokenStream {
    let one = |mut token: TokenTree| {
        match &token {
            TokenTree::Group(group) => {
                token = proc_macro2::Group::new(group.delimiter(), unlinted(group.stream())).into()
            }
            // Which crate that is, its place alone tells.
            TokenTree::Ident(word) if word == "$crate" => return token,
            _ => {}
        }
        token.set_span(Span::mixed_site().located_at(token.span()));
        token
    };
    tokens.into_iter().map(one).collect()
}
