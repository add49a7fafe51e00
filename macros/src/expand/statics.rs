//! `#[inherit]` and `#[process_local]`: the static in a type that says what becomes of it in a child.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{ExprCall, ItemStatic, StaticMutability};

use super::respan;
use crate::options::Options;
use crate::report::{local, located_at};
use crate::{check, model, statics};

/// What is left of a static with faults: one that entries may use, so that nothing more is wrong.
pub(super) fn stub(mut item: ItemStatic, options: &Options) -> TokenStream {
    // A second one of these attributes has been reported.
    item.attrs.retain(|attribute| !check::is(attribute, "inherit") && !check::is(attribute, "process_local"));
    match item.mutability {
        StaticMutability::None => process_local(&item, options),
        _ => quote!(#item),
    }
}

/// A static whose value travels: of another type, and registered.
pub(super) fn inherit(item: &ItemStatic, options: &Options) -> TokenStream {
    if let Some(compute) = statics::lazy(item) {
        return inherit_lazy(item, compute, options);
    }
    let declaration = wrapped(item, &item.expr, options, "Inherit", "__registered");
    let cfgs = model::cfgs(&item.attrs);
    let registration = registration(
        item,
        options,
        |span, private, ident, access| quote_spanned!(span=> #private::access(&#ident, #access)),
    );
    quote! {
        #declaration

        #(#cfgs)*
        const _: () = { #registration };
    }
}

/// The same of a `LazyLock`: around what computes it goes what knows whether it did. All of it stands in the
/// initializer, as the names in it must be seen from there.
fn inherit_lazy(item: &ItemStatic, compute: &ExprCall, options: &Options) -> TokenStream {
    let krate = options.crate_path();
    let registration = registration(
        item,
        options,
        |span, private, ident, access| quote_spanned!(span=> #private::access_lazy(&#ident, &__SPAWNSAFE_COMPUTED, #access)),
    );
    let (new, arguments) = (&compute.func, &compute.args);
    let computing = quote_spanned!(located_at(arguments)=> || __SPAWNSAFE_COMPUTED.or(#arguments));
    let expr = quote! {{
        static __SPAWNSAFE_COMPUTED: #krate::__private::Computed = #krate::__private::Computed::new();
        #registration
        #new(#computing)
    }};
    wrapped(item, &expr, options, "Inherit", "__registered")
}

/// What finds the static in the child, and reaches its value.
fn registration(
    item: &ItemStatic,
    options: &Options,
    access_by: impl FnOnce(Span, TokenStream, &Ident, &Ident) -> TokenStream,
) -> TokenStream {
    // The path of the user's in each place, and no import of it: where nothing is there, rustc says so once.
    let krate = options.crate_path();
    let private = quote!(#krate::__private);
    let name = format!("::{}", item.ident.unraw());
    // The only place that demands something of the type, and so where it is at fault.
    let span = located_at(statics::content(&item.ty));
    let ident = Ident::new_raw(&item.ident.unraw().to_string(), span);
    let (at_type, access) = (at_type(options, span), local("access"));
    let accessed = access_by(span, quote_spanned!(span=> #at_type::__private), &ident, &access);
    quote! {
        fn __spawnsafe_access(#access: #private::Access<'_>) -> #private::Accessed {
            #accessed
        }

        static __SPAWNSAFE_GLOBAL: #private::Global = #private::Global::new(
            #private::core::concat!(#private::core::module_path!(), #name),
            (#private::core::file!(), #private::core::line!(), #private::core::column!()),
            __spawnsafe_access,
        );

        #private::inventory::submit! { #private::RegisteredGlobal(&__SPAWNSAFE_GLOBAL) }
    }
}

/// A static that each process has for itself.
pub(super) fn process_local(item: &ItemStatic, options: &Options) -> TokenStream {
    wrapped(item, &item.expr, options, "ProcessLocal", "new")
}

fn wrapped(item: &ItemStatic, expr: &impl ToTokens, options: &Options, wrapper: &str, make: &str) -> TokenStream {
    let ItemStatic { attrs, vis, static_token, ident, colon_token, ty, eq_token, semi_token, .. } = item;
    let span = located_at(ty);
    let (wrapper, make) = (Ident::new(wrapper, span), Ident::new(make, span));
    let krate = at_type(options, span);
    let ty = quote_spanned!(span=> #krate::#wrapper<#ty>);
    let expr = quote_spanned!(span=> #krate::#wrapper::#make(#expr));
    quote!(#(#attrs)* #vis #static_token #ident #colon_token #ty #eq_token #expr #semi_token)
}

/// The path to the library: what is wrong with the type is shown at the type, what is wrong with a path of the user's at
/// that.
fn at_type(options: &Options, span: Span) -> TokenStream {
    match &options.crate_path {
        Some(path) => quote!(#path),
        None => respan(options.crate_path(), span),
    }
}
