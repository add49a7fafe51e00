//! Generic entries: one function, one type beside it, and an entry for each instance that is listed.
//!
//! All that is generated for the function stays generic. Two traits connect it with the instances: one holds the codecs
//! of what depends on the parameters, one the entry, and only listed instances implement that. So the methods of the
//! type demand no more of their caller than that the instance is listed, and what an instance's types lack is reported
//! once, where the instance is listed.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{GenericArgument, GenericParam, Generics, Ident, Lifetime, Token, Type, WherePredicate};

use super::entry::{Entry, codec};
use super::respan;
use crate::messages;
use crate::model::{self, Passing};
use crate::options::Instance;
use crate::options::instance::names;
use crate::report::located_at;

/// What there is to choose in a generic entry.
pub(super) struct Generic {
    names: Vec<Ident>,
    /// The parameters as they are declared, and the conditions on them; without lifetimes, which are all `'static` in
    /// a child.
    parameters: Vec<GenericParam>,
    predicates: Vec<TokenStream>,
    instances: Vec<(String, Vec<GenericArgument>)>,
}

impl Generic {
    /// `None` if there is nothing to choose.
    pub(super) fn new(generics: &Generics, instances: &[Instance]) -> Option<Self> {
        let chosen: Vec<_> = names(generics).cloned().collect();
        if chosen.is_empty() {
            return None;
        }
        let fixed = for_ever(with_static_lifetimes(generics));
        let is_chosen = |parameter: &&GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
        let mut predicates = Vec::new();
        if let Some(clause) = &fixed.where_clause {
            predicates.extend(clause.predicates.iter().map(|predicate| predicate.to_token_stream()));
        }
        let instances = instances.iter().map(|instance| {
            let arguments = instance.arguments(generics).cloned().map(|argument| match argument {
                GenericArgument::Type(ty) => GenericArgument::Type(model::with_static_lifetimes(&ty)),
                argument => argument,
            });
            (instance.label(generics), arguments.collect())
        });
        Some(Self {
            parameters: fixed.params.iter().filter(is_chosen).cloned().collect(),
            predicates,
            instances: instances.collect(),
            names: chosen,
        })
    }

    /// Whether the type mentions what there is to choose.
    pub(super) fn is_in(&self, ty: &Type) -> bool {
        struct Finder<'a>(&'a [Ident], bool);
        impl<'ast> Visit<'ast> for Finder<'_> {
            fn visit_ident(&mut self, ident: &'ast Ident) {
                self.1 |= self.0.contains(ident);
            }
        }
        let mut finder = Finder(&self.names, false);
        finder.visit_type(ty);
        finder.1
    }

    /// `T, N`.
    pub(super) fn names(&self) -> TokenStream {
        let names = &self.names;
        quote!(#(#names),*)
    }

    /// The codec of an argument or of the result.
    pub(super) fn codec(&self, ty: &Ident, constant: &Ident) -> TokenStream {
        let names = self.names();
        quote!(<#ty as __SpawnsafeCodecs<#names>>::#constant)
    }

    /// What gives the entry of the instance.
    pub(super) fn entry(&self, ty: &Ident) -> TokenStream {
        let names = self.names();
        quote!(<#ty as __SpawnsafeInstance<#names>>::ENTRY)
    }

    /// Stands where other entries have `NAME`: here each instance has its own.
    pub(super) fn name_function(&self, private: &TokenStream, ty: &Ident) -> TokenStream {
        let Self { parameters, predicates, .. } = self;
        let names = self.names();
        quote! {
            /// The name under which a child process finds this instance of the entry.
            #[must_use]
            pub const fn name<#(#parameters),*>() -> &'static #private::core::primitive::str
            where
                #(#predicates,)*
                #ty: __SpawnsafeInstance<#names>,
            {
                <#ty as __SpawnsafeInstance<#names>>::NAME
            }
        }
    }

    /// The parameters of what users call: the function's own.
    pub(super) fn of_methods(signature: &Generics) -> TokenStream {
        for_ever(signature.clone()).params.to_token_stream()
    }

    /// The conditions on what users call: the function's own, and that the instance is listed.
    pub(super) fn where_clause(&self, signature: &Generics, ty: &Ident) -> TokenStream {
        let (signature, names) = (for_ever(signature.clone()), self.names());
        let own: Vec<_> = signature.where_clause.iter().flat_map(|clause| &clause.predicates).map(text).collect();
        // Bounds that name a lifetime of the function must hold for `'static` as well.
        let fixed = self.predicates.iter().filter(|predicate| !own.contains(&predicate.to_string()));
        let inline = self.parameters.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(fixed) => {
                let (ident, bounds) = (&fixed.ident, &fixed.bounds);
                let is_own = signature.type_params().any(|written| text(written) == text(fixed));
                (!is_own).then(|| quote!(#ident: #bounds))
            }
            _ => None,
        });
        let written = signature.where_clause.iter().flat_map(|clause| &clause.predicates);
        quote!(where #(#written,)* #(#fixed,)* #(#inline,)* #ty: __SpawnsafeInstance<#names>)
    }

    /// The parameters, the arguments and the conditions of what runs in the child.
    pub(super) fn of_shim(&self, ty: &Ident) -> [TokenStream; 3] {
        let Self { parameters, predicates, .. } = self;
        let names = self.names();
        [quote!(<#(#parameters),*>), quote!(::<#names>), quote!(where #(#predicates,)* #ty: __SpawnsafeCodecs<#names>)]
    }

    /// The traits, and an entry for each instance.
    ///
    /// What runs in the child is a constant of `__SpawnsafeShim`, which it has if all conditions are met. If they are
    /// not, it has another one of this name, and the implementation of the trait is the only fault.
    pub(super) fn instances(&self, entry: &Entry<'_>) -> TokenStream {
        let Self { parameters, predicates, .. } = self;
        let Entry { private, ty, function, .. } = entry;
        let (names, codecs) = (self.names(), self.codecs(entry));
        let [message, label, note] =
            messages::instance_not_listed(&function.sig.ident, &self.names.iter().collect::<Vec<_>>());
        let types = parameters.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            _ => None,
        });
        let unbounded = parameters.iter().map(|parameter| match parameter {
            GenericParam::Type(parameter) => {
                let ident = &parameter.ident;
                quote!(#ident: ?#private::core::marker::Sized)
            }
            other => other.to_token_stream(),
        });
        let listed = self.instances.iter().map(|(label, arguments)| self.instance(entry, label, arguments));
        quote! {
            use #private::Refused as _;

            #codecs

            struct __SpawnsafeShim<#(#unbounded),*>(#(#private::core::marker::PhantomData<#types>),*);

            impl<#(#parameters),*> __SpawnsafeShim<#names>
            where
                #(#predicates,)*
                #ty: __SpawnsafeCodecs<#names>,
            {
                const RUN: #private::Run = __spawnsafe_run::<#names>;
            }

            #[diagnostic::on_unimplemented(message = #message, label = #label, note = #note)]
            pub trait __SpawnsafeInstance<#(#parameters),*>: __SpawnsafeCodecs<#names>
            where
                #(#predicates,)*
            {
                const NAME: &'static #private::core::primitive::str;
                const ENTRY: &'static #private::Entry;
            }

            #(#listed)*
        }
    }

    /// The codecs of what depends on the parameters. That the types can travel is a condition of the implementation,
    /// so it is met, or not, where an instance is listed.
    fn codecs(&self, entry: &Entry<'_>) -> TokenStream {
        let Self { parameters, predicates, .. } = self;
        let Entry { private, ty, .. } = entry;
        let names = self.names();
        let mut declared = Vec::new();
        let mut defined = Vec::new();
        let mut conditions = Vec::new();
        for (index, parameter) in entry.parameters.iter().enumerate().filter(|(_, one)| self.is_in(&one.ty)) {
            let (ident, cfgs) = (super::entry::codec_ident(index), &parameter.cfgs);
            let (codec, made) = codec(parameter, private, Span::mixed_site());
            declared.push(quote!(#(#cfgs)* const #ident: #private::#codec;));
            defined.push(quote!(#(#cfgs)* const #ident: #private::#codec = #private::#made;));
            conditions.push(match &parameter.passing {
                Passing::Lent(ty) if !parameter.borrows => quote!(#private::Value<#ty>: #private::Lendable<#ty>),
                Passing::Value(ty) | Passing::Lent(ty) | Passing::LentSlice(ty) => {
                    quote!(#private::Value<#ty>: #private::Passable<#ty>)
                }
            });
        }
        if let Some(result) = entry.result.as_ref().filter(|result| self.is_in(result)) {
            let codec = quote!(const __SPAWNSAFE_RESULT: #private::ArgumentCodec<#result>);
            declared.push(quote!(#codec;));
            defined.push(quote!(#codec = #private::result::<#result>();));
            conditions.push(quote!(#private::Value<#result>: #private::Passable<#result>));
        }
        quote! {
            pub trait __SpawnsafeCodecs<#(#parameters),*>
            where
                #(#predicates,)*
            {
                #(#declared)*
            }

            impl<#(#parameters),*> __SpawnsafeCodecs<#names> for #ty
            where
                #(#predicates,)*
                #(#conditions,)*
            {
                #(#defined)*
            }
        }
    }

    fn instance(&self, entry: &Entry<'_>, label: &str, arguments: &[GenericArgument]) -> TokenStream {
        let span = arguments.first().map_or_else(Span::mixed_site, located_at);
        let (ty, private) = (&entry.ty, respan(entry.private.clone(), span));
        let name = entry.name_with(label);
        let registered = entry.registered(&name, &quote!(__SpawnsafeShim::<#(#arguments),*>::RUN));
        let ty = respan(ty.to_token_stream(), span);
        quote_spanned! {span=>
            const _: () = {
                #registered

                impl __SpawnsafeInstance<#(#arguments),*> for #ty {
                    const NAME: &'static #private::core::primitive::str = #name;
                    const ENTRY: &'static #private::Entry = &__SPAWNSAFE_ENTRY;
                }
            };
        }
    }
}

/// The generics with the condition that no type borrows. It stands where the type's other conditions do.
fn for_ever(mut generics: Generics) -> Generics {
    let Generics { params, where_clause, .. } = &mut generics;
    for parameter in params {
        let GenericParam::Type(parameter) = parameter else { continue };
        let elsewhere =
            where_clause.iter_mut().flat_map(|clause| &mut clause.predicates).find_map(|predicate| match predicate {
                WherePredicate::Type(predicate) if predicate.lifetimes.is_none() => {
                    (parameter.ident == text(&predicate.bounded_ty)).then_some(&mut predicate.bounds)
                }
                _ => None,
            });
        match elsewhere {
            Some(bounds) if parameter.bounds.is_empty() => bounds.push(syn::parse_quote!('static)),
            _ => {
                parameter.colon_token.get_or_insert_with(Default::default);
                parameter.bounds.push(syn::parse_quote!('static));
            }
        }
    }
    generics
}

fn text(tokens: &impl quote::ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

/// The generics as a child sees them: there, the function's lifetimes are all `'static`.
fn with_static_lifetimes(generics: &Generics) -> Generics {
    struct Replacer(Vec<Ident>);
    impl VisitMut for Replacer {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if self.0.contains(&lifetime.ident) {
                lifetime.ident = Ident::new("static", lifetime.ident.span());
            }
        }
    }
    let mut fixed = generics.clone();
    let lifetimes: Vec<_> = generics.lifetimes().map(|parameter| parameter.lifetime.ident.clone()).collect();
    for parameter in fixed.type_params_mut() {
        Replacer(lifetimes.clone()).visit_type_param_mut(parameter);
    }
    if let Some(clause) = &mut fixed.where_clause {
        Replacer(lifetimes).visit_where_clause_mut(clause);
        // `'a: 'b` says nothing of what is to be chosen.
        let kept = clause.predicates.iter().filter(|predicate| !matches!(predicate, WherePredicate::Lifetime(_)));
        clause.predicates = kept.cloned().collect::<syn::punctuated::Punctuated<_, Token![,]>>();
    }
    fixed
}
