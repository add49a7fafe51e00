//! `#[derive(SpawnSafe)]`: the implementation, with a check of each field in it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{DeriveInput, Generics, Ident};

use super::{entry, respan, trust};
use crate::fields::{Field, Model};
use crate::report::located_at;

/// A type with faults gets the trait as well, if it can: its users are not at fault.
pub(super) fn expand(input: &DeriveInput, model: &Model, errors: Option<TokenStream>) -> TokenStream {
    if model.hopeless {
        return quote!(#errors);
    }
    let private = quote!(__spawnsafe::__private);
    let (import, allowed) = (entry::import(&model.options), entry::allowed(&input.attrs));
    let (trusted, checked): (Vec<_>, Vec<_>) = model.fields.iter().partition(|field| field.trusted);
    let demands = checked.into_iter().map(|field| demand(&private, field));
    let trusted = trusted.into_iter().filter_map(|Field { ty, .. }| {
        trust::concrete(ty, &input.generics).map(|concrete| trust::check_field(&private, &concrete, located_at(ty)))
    });
    // As a name of this macro's making: rustc does not say of it that the type is deprecated.
    let name = Ident::new_raw(&input.ident.unraw().to_string(), located_at(&input.ident));
    let generics = bounded(&input.generics);
    let (parameters, arguments, where_clause) = generics.split_for_impl();
    let implementation = quote_spanned! {located_at(&name)=>
        impl #parameters __spawnsafe::SpawnSafe for #name #arguments #where_clause
    };
    quote! {
        #errors
        #(#allowed)*
        const _: () = {
            #import

            #[automatically_derived]
            #implementation {
                fn __fields() {
                    #(#demands)*
                }
            }

            #(#trusted)*
        };
    }
}

/// One statement for each field, at the type that the user wrote.
fn demand(private: &TokenStream, Field { ty, attributes, .. }: &Field) -> TokenStream {
    let (span, allowed) = (located_at(ty), entry::allowed(attributes));
    let private = respan(private.clone(), span);
    quote_spanned!(span=> #(#allowed)* #private::field::<#ty>();)
}

/// What is in a generic type travels if each parameter does.
fn bounded(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        let span = located_at(&parameter.ident);
        let bound = respan(quote!(__spawnsafe::SpawnSafe), span);
        parameter.bounds.push(syn::parse_quote!(#bound));
        parameter.default = None;
    }
    generics
}
