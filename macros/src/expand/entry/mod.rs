//! `#[child_entry]`: the function as it is, and a type of its name beside it.

mod codecs;
mod methods;
mod registration;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, ItemFn, Type, VisRestricted, Visibility};

use super::generic::Generic;
use crate::check;
use crate::model::{self, Parameter};
use crate::options::Options;
use crate::report::located_at;

pub(super) use codecs::{codec, codec_ident};

/// What is left of an entry with faults: the function, so that calls of it compile, and a type with the same methods
/// as ever, so that there is no error but those of the entry.
pub(super) fn stub(original: &ItemFn, options: &Options, errors: &TokenStream) -> TokenStream {
    let mut function = model::without_trust(original);
    // A second one of this attribute has been reported, and is not to define the type again.
    function.attrs.retain(|attribute| !check::is(attribute, "child_entry"));
    if function.sig.variadic.take().is_some() {
        // rustc has a word of its own on those, and the body may use what is taken away.
        function.attrs.push(syn::parse_quote!(#[allow(unused)]));
        *function.block = syn::parse_quote!({ loop {} });
    }
    if check::is_associated(&function.sig) || check::hides_primitive(&function.sig) {
        // No type can stand there, or what the rest of the module says would take on another meaning.
        return quote!(#errors #function);
    }
    let (ty, cfgs) = (stub_type(original, options), model::cfgs(&function.attrs));
    quote! {
        #errors
        #function
        #(#cfgs)*
        #[doc(hidden)]
        #ty
    }
}

/// The type beside a function with faults. The types that are not among them are checked all the same.
pub(super) fn stub_type(function: &ItemFn, options: &Options) -> TokenStream {
    let entry = Entry::new(function, options);
    let (codecs, methods) = (entry.codecs_of_right_types(), entry.stub_methods());
    type_with(function, options, &quote!(#codecs #methods))
}

/// `unchanged` is the function as the user wrote it, if that is still what it is: a body that nothing was added to need
/// not be written anew, token by token.
pub(super) fn expand(function: &ItemFn, unchanged: Option<TokenStream>, options: &Options) -> TokenStream {
    let entry = Entry::new(function, options);
    let attributes = type_attributes(&function.attrs);
    let doc = format!(
        "[`{0}`](fn@{0}) as the entry of a child process: [`run`]({0}::run) waits for its result, [`spawn`]({0}::spawn) \
         does not, [`call`]({0}::call) lets the process be set up first.",
        function.sig.ident.unraw()
    );
    let (codecs, methods, registration) = (entry.codecs(), entry.real_methods(), entry.registration());
    let ty = type_with(function, options, &quote!(#codecs #methods #registration));
    let function = match unchanged {
        _ if entry.parameters.iter().any(|parameter| parameter.trusted) => {
            model::without_trust(function).into_token_stream()
        }
        Some(unchanged) => unchanged,
        None => function.to_token_stream(),
    };
    quote! {
        #function

        #(#attributes)*
        #[doc = #doc]
        #ty
    }
}

/// The type, and the attribute that puts these items beside it, where nobody sees them. They are not written there right away because the
/// function may stand where no type can: that is one error only if all that is generated goes with the type.
fn type_with(function: &ItemFn, options: &Options, items: &TokenStream) -> TokenStream {
    let (vis, ty, krate) = (type_visibility(function), type_ident(function), options.crate_path());
    let (import, allowed) = (import(options), allowed(&function.attrs));
    let items = quote! {
        #(#allowed)*
        const _: () = {
            #import
            #items
        };
    };
    let beside = quote_spanned!(located_at(&krate)=> #[#krate::__private::beside(#items)]);
    quote!(#beside #vis enum #ty {})
}

/// The only place that names the user's path: if nothing is there, that is one error.
pub(super) fn import(options: &Options) -> TokenStream {
    let krate = options.crate_path();
    // Not the path itself: it may be `$crate`, which Rust 1.85 does not import under a name.
    quote_spanned!(located_at(&krate)=> use #krate::__private::spawnsafe as __spawnsafe;)
}

/// The function's name as a name of this macro's making: naming lints do not apply to it. Raw, since what is a name in
/// the edition of the function (`gen`) may be a keyword in that of this macro.
pub(super) fn type_ident(function: &ItemFn) -> Ident {
    let name = &function.sig.ident;
    Ident::new_raw(&name.unraw().to_string(), located_at(name))
}

/// The function's visibility. Its first word is where rustc says that the type begins: if a `macro_rules!` of the user's has
/// written it, lints would apply to the type.
fn type_visibility(function: &ItemFn) -> Visibility {
    let mut vis = function.vis.clone();
    if let Visibility::Public(word) | Visibility::Restricted(VisRestricted { pub_token: word, .. }) = &mut vis {
        word.span = located_at(word);
    }
    vis
}

/// The function's attributes that concern its name: `#[cfg]`, whether it is documented, and whether it is to be used.
fn type_attributes(attributes: &[Attribute]) -> Vec<Attribute> {
    let others = attributes.iter().filter(|attribute| {
        let is_hidden = || attribute.parse_args::<Ident>().is_ok_and(|word| word == "hidden");
        attribute.path().is_ident("deprecated") || (attribute.path().is_ident("doc") && is_hidden())
    });
    model::cfgs(attributes).into_iter().chain(others.cloned()).collect()
}

/// What the function may do in spite of a lint, the copies of its signature may as well. An expectation has been met by
/// the function. What is deprecated may be used by what makes it an entry.
pub(super) fn allowed(attributes: &[Attribute]) -> Vec<TokenStream> {
    let is_deprecated = attributes.iter().any(|attribute| attribute.path().is_ident("deprecated"));
    let lists = attributes.iter().filter_map(|attribute| attribute.meta.require_list().ok());
    let lists = lists.filter(|list| list.path.is_ident("allow") || list.path.is_ident("expect"));
    let lists = lists.map(|list| list.tokens.clone()).chain(is_deprecated.then(|| quote!(deprecated)));
    lists.map(|lints| quote!(#[allow(#lints)])).collect()
}

/// All parts of an expansion.
pub(super) struct Entry<'a> {
    pub(super) function: &'a ItemFn,
    pub(super) options: &'a Options,
    /// The path of what generated code may name.
    pub(super) private: TokenStream,
    /// The type beside the function.
    pub(super) ty: Ident,
    pub(super) parameters: Vec<Parameter>,
    pub(super) result: Option<Type>,
    /// What there is to choose in a generic one.
    pub(super) generic: Option<Generic>,
}

impl<'a> Entry<'a> {
    fn new(function: &'a ItemFn, options: &'a Options) -> Self {
        Self {
            private: quote!(__spawnsafe::__private),
            ty: type_ident(function),
            parameters: model::parameters(function),
            result: model::result(function),
            generic: Generic::new(&function.sig.generics, &options.instances),
            function,
            options,
        }
    }

    /// Whether what travels as this type depends on the instance.
    pub(super) fn is_generic(&self, ty: &Type) -> bool {
        self.generic.as_ref().is_some_and(|generic| generic.is_in(ty))
    }

    pub(super) fn result(&self) -> TokenStream {
        match &self.result {
            Some(ty) => quote!(#ty),
            None => quote!(()),
        }
    }

    /// The name under which a child finds the entry, or an instance of it.
    fn name(&self) -> TokenStream {
        self.name_with("")
    }

    pub(super) fn name_with(&self, instance: &str) -> TokenStream {
        let private = &self.private;
        let function = self.function.sig.ident.unraw();
        match &self.options.name {
            Some(name) if instance.is_empty() => quote!(#name),
            Some(name) => quote!(#private::core::concat!(#name, #instance)),
            None if self.options.anonymous => quote!(#private::core::concat!(
                #private::core::module_path!(),
                "::{closure@",
                #private::core::line!(),
                ":",
                #private::core::column!(),
                "}"
            )),
            None => {
                let name = format!("::{function}{instance}");
                quote!(#private::core::concat!(#private::core::module_path!(), #name))
            }
        }
    }
}
