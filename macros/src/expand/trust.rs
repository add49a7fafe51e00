//! `#[trust]`: what is checked in spite of it.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{GenericParam, Generics, Ident, Path, Type};

use super::respan;

/// Does not compile if the type holds a lock, an atomic or a cell. The name of the constant is in what rustc says.
pub(super) fn check(private: &TokenStream, ty: &Type, span: Span) -> TokenStream {
    let private = respan(private.clone(), span);
    let name = Ident::new("the_trusted_type_is_plain_data", span);
    quote_spanned! {span=>
        const _: () = {
            static VACANT: #private::Vacant<#ty> = #private::Vacant::NEW;
            // What rustc finds wrong in the closure keeps it from evaluating the constant.
            const #name: () = {
                let _ = || {
                    use #private::Unknown as _;
                    #private::Trusted::<#ty>::NEW.is_not_shared();
                };
                #private::plain_data(&VACANT)
            };
        };
    }
}

/// The same for a field, whose type has no codec of its own that would demand the rest.
pub(super) fn check_field(private: &TokenStream, ty: &Type, span: Span) -> TokenStream {
    let plain = check(private, ty, span);
    let private = respan(private.clone(), span);
    quote_spanned!(span=> #plain const _: () = #private::trusted_field::<#ty>();)
}

/// The type as it can be checked outside of its generics: a parameter without bounds can be any type, so it can be
/// `u8`. `None` if a parameter with bounds is mentioned, or a constant one: nobody here knows what would fit.
pub(super) fn concrete(ty: &Type, generics: &Generics) -> Option<Type> {
    let bounded = |name: &Ident| {
        let mut mention = Mention { name, found: false };
        if let Some(clause) = &generics.where_clause {
            mention.visit_where_clause(clause);
        }
        mention.found
    };
    let mut concrete = ty.clone();
    for parameter in &generics.params {
        match parameter {
            GenericParam::Type(parameter) if parameter.bounds.is_empty() && !bounded(&parameter.ident) => {
                Replacer(&parameter.ident).visit_type_mut(&mut concrete);
            }
            GenericParam::Type(parameter) if mentions(&concrete, &parameter.ident) => return None,
            GenericParam::Const(parameter) if mentions(&concrete, &parameter.ident) => return None,
            _ => {}
        }
    }
    (!mentions(&concrete, &Ident::new("Self", Span::call_site()))).then_some(concrete)
}

fn mentions(ty: &Type, name: &Ident) -> bool {
    let mut mention = Mention { name, found: false };
    mention.visit_type(ty);
    mention.found
}

struct Mention<'a> {
    name: &'a Ident,
    found: bool,
}

impl<'ast> Visit<'ast> for Mention<'_> {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.found |= ident == self.name;
    }
}

struct Replacer<'a>(&'a Ident);

impl VisitMut for Replacer<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.is_ident(self.0) {
            *path = syn::parse_quote!(__spawnsafe::__private::core::primitive::u8);
        }
        syn::visit_mut::visit_path_mut(self, path);
    }
}
