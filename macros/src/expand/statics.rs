//! `#[inherit]` and `#[process_local]`: the static in a type that says what becomes of it in a child.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{ItemStatic, StaticMutability};

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
    let declaration = wrapped(item, options, "Inherit", "__registered");
    let cfgs = model::cfgs(&item.attrs);
    // The path of the user's in each place, and no import of it: where nothing is there, rustc says so once.
    let krate = options.crate_path();
    let private = quote!(#krate::__private);
    let name = format!("::{}", item.ident.unraw());
    // The only place that demands something of the type, and so where it is at fault.
    let span = located_at(statics::content(&item.ty));
    let ident = Ident::new_raw(&item.ident.unraw().to_string(), span);
    let respanned = at_type(options, span);
    let access = local("access");
    let accessed = quote_spanned!(span=> #respanned::__private::access(&#ident, #access));
    quote! {
        #declaration

        #(#cfgs)*
        const _: () = {
            fn __spawnsafe_access(#access: #private::Access<'_>) -> #private::Accessed {
                #accessed
            }

            static __SPAWNSAFE_GLOBAL: #private::Global = #private::Global::new(
                #private::core::concat!(#private::core::module_path!(), #name),
                (#private::core::file!(), #private::core::line!(), #private::core::column!()),
                __spawnsafe_access,
            );

            #private::inventory::submit! { #private::RegisteredGlobal(&__SPAWNSAFE_GLOBAL) }
        };
    }
}

/// A static that each process has for itself.
pub(super) fn process_local(item: &ItemStatic, options: &Options) -> TokenStream {
    wrapped(item, options, "ProcessLocal", "new")
}

fn wrapped(item: &ItemStatic, options: &Options, wrapper: &str, make: &str) -> TokenStream {
    let ItemStatic { attrs, vis, static_token, ident, colon_token, ty, eq_token, expr, semi_token, .. } = item;
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
